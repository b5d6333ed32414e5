using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Firewall.Text;

namespace Pangea.DataPlane.Firewall.Tests.Text;

/// <summary>Goal: lists of any origin are taken, and what is wrong in them is found.</summary>
public sealed class ListFileTests : IDisposable
{
    private readonly string _folder =
        Directory.CreateTempSubdirectory("pangea-lists-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_file_is_found_beside_the_rules()
    {
        Write("lists/bad.txt", "# bad ones\r\n192.0.2.0/24 ; SBL1\r\n\r\n  2001:db8::/32\t\r\n");
        RuleTextResult result = Parse("""set bad = 10.0.0.1 include "lists/bad.txt" """);
        Assert.Empty(result.Errors);
        Assert.Equal(
            "10.0.0.1 192.0.2.0/24 2001:db8::/32", string.Join(' ', result.Set!.Sets["bad"].All));
    }

    [Fact]
    public void A_folder_is_all_its_files_in_the_order_of_their_names()
    {
        Write("lists/b.zone", "192.0.2.2");
        Write("lists/a.zone", "192.0.2.1");
        Write("lists/.hidden", "garbage");
        Write("lists/a.zone~", "garbage");
        Write("lists/sub/c.zone", "192.0.2.3");
        RuleTextResult result = Parse("""set xx = include "lists" """);
        Assert.Equal("192.0.2.1 192.0.2.2", string.Join(' ', result.Set!.Sets["xx"].All));
    }

    [Fact]
    public void Errors_name_the_list_with_line_and_column()
    {
        Write("lists/a", "192.0.2.1/24\n10.0.0.0/8\n  rubbish\n" + new string('9', 5000));
        RuleTextResult result = Parse("set a = include lists/a\nset b = 300.1.1.1");
        Assert.Equal(
            [
                $"{_folder}/rules:2:9: '300.1.1.1' is not an IPv4 or IPv6 prefix",
                $"{_folder}/lists/a:1:1: '192.0.2.1/24' has host bits, did you mean 192.0.2.0/24?",
                $"{_folder}/lists/a:3:3: 'rubbish' is not an IPv4 or IPv6 prefix",
                $"{_folder}/lists/a:4:1: the line is too long for a prefix",
            ],
            result.Errors.Select(error => error.ToString()));
    }

    [Fact]
    public void What_is_not_there_or_no_file_is_refused()
    {
        Assert.Equal(
            $"{_folder}/rules:1:17: there is no file or folder {_folder}/none",
            Assert.Single(Parse("set a = include none").Errors).ToString());
        Assert.EndsWith(
            "/dev/zero is no regular file",
            Assert.Single(Parse("set a = include /dev/zero").Errors).Message);
    }

    [Fact]
    public void All_lists_together_are_bounded()
    {
        Write("a", "192.0.2.1\n");
        Write("b", "192.0.2.2\n");
        RuleTextResult result = RuleText.Parse(
            "set a = include a\nset b = include b",
            Path.Combine(_folder, "rules"),
            ListFiles.Beside(Path.Combine(_folder, "rules"), bytesMax: 15));
        Assert.EndsWith(
            "/b is too large, or more than all lists may have",
            Assert.Single(result.Errors).Message);
    }

    [Fact]
    public void A_set_without_includes_prints_everything()
    {
        Write("a", "192.0.2.1\n192.0.2.2\n");
        RuleSet set = Parse("set a = 10.0.0.0/8 include a\ndeny from @a").Set!;
        Assert.Equal(
            "default allow\nset a = 10.0.0.0/8 192.0.2.1 192.0.2.2\ndeny from @a\n",
            RuleText.Print(set.WithoutIncludes()));
        Assert.Contains("include \"a\"", RuleText.Print(set));
    }

    private RuleTextResult Parse(string text)
    {
        string rules = Path.Combine(_folder, "rules");
        return RuleText.Parse(text, rules, ListFiles.Beside(rules));
    }

    private void Write(string name, string text)
    {
        string path = Path.Combine(_folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }
}

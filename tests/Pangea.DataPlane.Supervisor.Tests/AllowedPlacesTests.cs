using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Supervisor.Privilege;

namespace Pangea.DataPlane.Supervisor.Tests;

/// <summary>
/// Where the warden opens devices, and where it does not, whatever they are called.
/// </summary>
public sealed class AllowedPlacesTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("pangea-places-");
    private readonly List<string> _reread = [];

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public void Devices_lie_at_the_places_and_below_them_and_nowhere_else()
    {
        string place = Make("place");
        var places = new AllowedPlaces([place], () => _reread);
        Assert.Null(places.Check(place));
        Assert.Null(places.Check(Make("place", "inner", "device")));
        Assert.Equal(FaultCode.Denied, places.Check(Make("place-of-others"))?.Code);
        Assert.Equal(FaultCode.Denied, places.Check(_directory.FullName)?.Code);
        Assert.Equal(FaultCode.NotFound, places.Check(place + "/none")?.Code);
    }

    [Fact]
    public void A_link_counts_as_what_it_leads_to()
    {
        string place = Make("place");
        string other = Make("other");
        string link = Path.Combine(place, "link");
        File.CreateSymbolicLink(link, other);
        var places = new AllowedPlaces([place], () => _reread);
        Assert.Contains(other, places.Check(link)?.Message);

        // A place may itself be named by a link.
        var linked = new AllowedPlaces([link], () => _reread);
        Assert.Null(linked.Check(other));
    }

    /// <summary>The name may lead elsewhere by now: what was opened counts.</summary>
    [Fact]
    public void What_was_opened_is_judged_and_not_its_name()
    {
        string place = Make("place");
        using OwnedFd opened = PathFd.Open(Make("other")).Value;
        var places = new AllowedPlaces([place], () => _reread);
        Assert.Equal(FaultCode.Denied, places.Check(place, opened)?.Code);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/etc")]
    [InlineData("/usr/lib")]
    [InlineData("/dev")]
    [InlineData("/proc/self")]
    public void A_directory_of_the_system_is_none_even_where_it_is_named(string path)
    {
        var places = new AllowedPlaces([path], () => [path]);
        Assert.Contains("belongs to the system", places.Check(path)?.Message);
    }

    [Fact]
    public void A_file_that_names_a_new_place_is_believed_at_once()
    {
        string place = Make("new");
        var places = new AllowedPlaces([], () => _reread);
        Assert.Equal(FaultCode.Denied, places.Check(place)?.Code);
        _reread.Add(place);
        Assert.Null(places.Check(place));
    }

    [Fact]
    public void What_lies_beside_a_device_is_a_place_but_not_the_first_level() =>
        Assert.Equal(
            [
                "/srv", "/mnt", "/media", "/more", "/data/x/a", "/disk", "/dev/disk/by-id/b",
                "/data/x",
            ],
            AllowedPlaces.Of(["/data/x/a", "/disk", "/dev/disk/by-id/b"], ["/more"]));

    private string Make(params string[] parts) =>
        Directory.CreateDirectory(Path.Combine([_directory.FullName, .. parts])).FullName;
}

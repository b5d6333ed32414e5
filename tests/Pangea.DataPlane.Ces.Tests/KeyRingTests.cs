using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces.Tests;

public sealed class KeyRingTests
{
    [Fact]
    public void Survives_its_text_form()
    {
        using KeyRing ring = KeyRing.Of(MasterKey.Generate());
        Assert.True(ring.Rotate(MasterKey.Generate()).IsOk);

        using KeyRing read = KeyRing.Parse("# comment\n\n" + ring.FormatSecrets()).Value;

        Assert.Equal(ring.Ids, read.Ids);
        Assert.Equal(ring.Current.Id, read.Current.Id);
        Assert.Equal(ring.FormatSecrets(), read.FormatSecrets());
    }

    [Fact]
    public void Rotation_changes_the_current_key_and_keeps_the_old_one()
    {
        MasterKey first = MasterKey.Generate();
        using KeyRing ring = KeyRing.Of(first);
        MasterKey second = MasterKey.Generate();

        Assert.True(ring.Rotate(second).IsOk);

        Assert.Same(second, ring.Current);
        Assert.Same(first, ring.Find(first.Id).Value);
        Assert.Equal(FaultCode.Exists, ring.Rotate(second).Fault!.Code);
    }

    [Fact]
    public void Whoever_reads_the_ring_while_it_changes_sees_it_as_it_was()
    {
        using KeyRing ring = KeyRing.Of(MasterKey.Generate());
        var seen = new List<KeyId>();
        foreach (KeyId id in ring.Ids)
        {
            seen.Add(id);
            Assert.True(ring.Rotate(MasterKey.Generate()).IsOk);
            Assert.True(ring.Merge(KeyRing.Of(MasterKey.Generate())).IsOk);
        }

        Assert.Single(seen);
        Assert.Equal(3, ring.Count);
    }

    /// <summary>A key file that is refused leaves no secret of its better lines in
    /// memory.</summary>
    [Theory]
    [InlineData("rubbish")]
    [InlineData("the same key again")]
    public void A_refused_text_leaves_no_secret_behind(string last)
    {
        using KeyRing other = KeyRing.Of(MasterKey.Generate());
        string good = other.FormatSecrets();
        MasterKey before = MasterKey.Generate();
        KeyRing ring = KeyRing.Of(before);

        Result<KeyRing> read = KeyRing.ParseInto(ring, good + (last == "rubbish" ? last : good));

        Assert.False(read.IsOk);
        Assert.Equal(other.Current.Id, ring.Current.Id);
        Assert.Throws<ObjectDisposedException>(() => { _ = ring.Current.Secret; });
        Assert.Throws<ObjectDisposedException>(() => { _ = before.Secret; });
    }

    [Fact]
    public void An_unknown_key_is_named()
    {
        using KeyRing ring = KeyRing.Of(MasterKey.Generate());

        Result<MasterKey> found = ring.Find(new KeyId(0xABCDEF));

        Assert.Equal(FaultCode.Denied, found.Fault!.Code);
        Assert.Contains("0000000000abcdef", found.Fault.Message);
    }

    [Fact]
    public void Secrets_appear_in_no_text_but_the_key_file()
    {
        MasterKey key = MasterKey.Generate();
        using KeyRing ring = KeyRing.Of(key);
        string secret = ring.FormatSecrets().Split(' ')[2].Trim();

        Assert.Equal(64, secret.Length);
        Assert.DoesNotContain(secret, key.ToString());
        Assert.DoesNotContain(secret, ring.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("# only a comment\n")]
    [InlineData("pangea-key-v1 0123456789abcdef\n")]
    [InlineData("pangea-key-v2 0123456789abcdef 00\n")]
    [InlineData("pangea-key-v1 0123456789abcdef zz\n")]
    public void Refuses_a_malformed_file(string text)
    {
        Result<KeyRing> ring = KeyRing.Parse(text);

        Assert.Equal(FaultCode.InvalidParameters, ring.Fault!.Code);
    }

    [Fact]
    public void Notices_a_damaged_secret_without_repeating_it()
    {
        using KeyRing ring = KeyRing.Of(MasterKey.Generate());
        char[] text = ring.FormatSecrets().ToCharArray();
        text[40] = text[40] == '0' ? '1' : '0';

        Result<KeyRing> read = KeyRing.Parse(text);

        Assert.Equal(FaultCode.InvalidParameters, read.Fault!.Code);
        Assert.DoesNotContain(new string(text).Split(' ')[2].Trim(), read.Fault.ToString());
    }
}

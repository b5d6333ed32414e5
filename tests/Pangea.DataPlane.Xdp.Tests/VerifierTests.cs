using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Image;

namespace Pangea.DataPlane.Xdp.Tests;

/// <summary>
/// Goal: no set of features is refused by the kernel's verifier, and none exceeds its bounds.
/// </summary>
public sealed class VerifierTests
{
    private const PolicyFeature All = (PolicyFeature)((1u << 19) - 1);

    [SkippableFact]
    public void Takes_every_single_feature()
    {
        Kernel.NeedXdp();
        Load(PolicyFeature.None);
        for (int bit = 0; bit < 19; bit++)
        {
            Load((PolicyFeature)(1u << bit));
        }
    }

    [SkippableTheory]
    [InlineData(1u)]
    [InlineData(2u)]
    [InlineData(16u)]
    public void Takes_all_features_at_once(uint words)
    {
        Kernel.NeedXdp();
        Load(All, words);
        Load(All & ~PolicyFeature.Pins, words);
    }

    private static void Load(PolicyFeature features, uint words = 1)
    {
        PolicyGeometry geometry = Geometries.Spacious(features, words);
        Result<XdpFilter> filter = XdpFilter.Load(
            new XdpFilterOptions { HasEvents = false }, geometry, new byte[geometry.ImageBytes]);
        Assert.True(filter.IsOk, $"{features}, {words} words: {filter.Fault}");
        filter.Value.Dispose();
    }
}

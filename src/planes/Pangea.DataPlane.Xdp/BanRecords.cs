using Pangea.DataPlane.Firewall.Image;

namespace Pangea.DataPlane.Xdp;

/// <summary>A banned IPv4 source.</summary>
/// <param name="Address">As a number.</param>
/// <param name="ExpiryNs">On the data path's clock; all ones for ever.</param>
public readonly record struct Ban4(uint Address, ulong ExpiryNs);

/// <summary>A banned IPv6 source, or a /64 under its all-ones address.</summary>
/// <param name="Key">The address.</param>
/// <param name="ExpiryNs">On the data path's clock; all ones for ever.</param>
public readonly record struct Ban6(BanKey6 Key, ulong ExpiryNs);

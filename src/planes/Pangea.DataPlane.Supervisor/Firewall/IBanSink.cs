using System.Net;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Supervisor.Firewall;

/// <summary>
/// Where other planes send sources that misbehave: failed authentications, protocols abused. On the
/// loop's thread; takes effect with the next packet.
/// </summary>
internal interface IBanSink
{
    /// <summary>Bans a source.</summary>
    /// <param name="source">Who; of IPv6 exactly this address.</param>
    /// <param name="duration">For how long, from now on.</param>
    /// <param name="plane">Who asks: "control", "gateway".</param>
    /// <param name="why">For the list of bans, in a few words.</param>
    Result Ban(IPAddress source, TimeSpan duration, string plane, string why);
}

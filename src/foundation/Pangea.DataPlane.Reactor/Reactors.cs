using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Reactor;

/// <summary>Chooses and makes a reactor (decision A7).</summary>
public static class Reactors
{
    /// <summary>
    /// io_uring where it works, plain otherwise, <see cref="ReactorOptions.Variable"/> or the
    /// options force one. Fails where the forced one is not to be had.
    /// </summary>
    /// <param name="pool">
    /// Whose slabs the transfers use; outlives the reactor. Null for a reactor that only polls,
    /// delays and posts.
    /// </param>
    /// <param name="options">Bounds; null for the defaults.</param>
    public static Result<IReactor> Create(BufferPool? pool, ReactorOptions? options = null)
    {
        ReactorOptions bounds = options ?? new ReactorOptions();
        string why = "the caller asked for it";
        ReactorChoice choice = bounds.Choice;
        if (choice == ReactorChoice.Probe)
        {
            string? forced = Environment.GetEnvironmentVariable(ReactorOptions.Variable);
            switch (forced)
            {
                case null or "":
                    break;
                case "plain":
                    choice = ReactorChoice.Plain;
                    break;
                case "io_uring":
                    choice = ReactorChoice.IoUring;
                    break;
                default:
                    return Fault.InvalidParameter(
                        ReactorOptions.Variable,
                        $"{ReactorOptions.Variable}={forced} names no executor",
                        "use plain or io_uring");
            }

            why = $"{ReactorOptions.Variable}={forced}";
        }

        if (choice == ReactorChoice.Plain)
        {
            return PlainReactor.Create(pool, bounds, why);
        }

        Result<IReactor> ring = UringReactor.Create(pool, bounds);
        return ring.IsOk || choice == ReactorChoice.IoUring
            ? ring
            : PlainReactor.Create(pool, bounds, ring.Fault.Message);
    }
}

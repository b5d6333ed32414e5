using FsCheck;
using FsCheck.Fluent;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker.Tests;

/// <summary>
/// Goal: the answers that are written from values are byte for byte what the serializer makes of
/// their records.
/// </summary>
public sealed class TransferAnswerTests
{
    private static readonly string[] s_names =
    [
        "a", "with \"quotes\" and \\", "\u00e4\u00f6\u4e2d \ud83d\ude00 <&'>",
        "a/b+c", new('x', 1024),
    ];

    [Fact]
    public void A_put_is_answered_as_its_record_is_written()
    {
        using var answer = new TransferAnswer();
        Check.QuickThrowOnFailure(Prop.ForAll(Randoms(), random =>
        {
            var put = new PutOutcome(
                NameOf(random), ObjectId.New(), random.NextInt64(), random.NextInt64(),
                random.Next(), Hash(random), random.Next(2) == 0, random.Next(64),
                random.Next(64), random.Next(2) == 0 ? 0 : random.NextInt64(253402300799999));
            byte[] id = RpcIds.Write(random.NextInt64());
            return answer.Of(id, put).SequenceEqual(
                RpcWriter.Result(id, RpcMethods.ObjectPut, put.ToResult()));
        }));
    }

    [Fact]
    public void A_get_is_answered_as_its_record_is_written()
    {
        using var answer = new TransferAnswer();
        Check.QuickThrowOnFailure(Prop.ForAll(Randoms(), random =>
        {
            var get = new GetOutcome(
                NameOf(random), ObjectId.New(), random.NextInt64(),
                new GetRange(random.NextInt64(), random.NextInt64(), random.Next(2) == 0),
                new GetFindings(Hash(random), random.Next(), random.Next(2), random.Next(12)));
            byte[] id = RpcIds.Write(random.NextInt64());
            return answer.Of(id, get).SequenceEqual(
                RpcWriter.Result(id, RpcMethods.ObjectGet, get.ToResult()));
        }));
    }

    private static Arbitrary<Random> Randoms() =>
        ArbMap.Default.ArbFor<int>().Generator.Select(seed => new Random(seed)).ToArbitrary();

    private static ObjectName NameOf(Random random) =>
        ObjectName.Parse(s_names[random.Next(s_names.Length)]).Value;

    private static ContentHash Hash(Random random)
    {
        byte[] hash = new byte[ContentHash.Bytes];
        random.NextBytes(hash);
        hash[0] = (byte)(random.Next(2) == 0 ? 0 : hash[0]); // A leading zero is written too.
        return ContentHash.Read(hash);
    }
}

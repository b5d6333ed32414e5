# Recipes for those who have `just`; every one only calls what works without it.

# List the recipes.
default:
    @just --list

# Build everything in Release.
build:
    dotnet build -c Release Pangea.DataPlane.sln

# Run every test, or the test projects whose name contains a word: just test erasure
test *words:
    ./test {{words}}

# Start an appliance, store a file, lose four disks, get it back: just run --once
run *arguments:
    ./run {{arguments}}

# Run an area of the benchmarks: just bench erasure --quick
bench *arguments:
    ./bench {{arguments}}

# Feed the readers of an engine damaged bytes for an hour, or as long as is said: just fuzz ces 600
fuzz engine="ces" seconds="3600":
    test "{{engine}}" = ces
    PANGEA_FUZZ_SECONDS={{seconds}} dotnet test -c Release tests/Pangea.DataPlane.Ces.Tests --filter FuzzTests

# Compare the firewall's program with its userspace twin on ten million frames: just parity 100000000
parity frames="10000000":
    PANGEA_PARITY_FRAMES={{frames}} dotnet test -c Release tests/Pangea.DataPlane.Xdp.Tests --filter ParityTests

# The firewall's tests as on a machine whose kernel takes no program: the userspace twin alone
twin:
    PANGEA_XDP=off dotnet test -c Release tests/Pangea.DataPlane.Xdp.Tests

# Cut a worker off at random operations for thousands of rounds: just crash 5000
crash rounds="5000":
    PANGEA_CRASH_ROUNDS={{rounds}} dotnet test -c Release tests/Pangea.DataPlane.Worker.Tests --filter CrashRoundsTests

# Restart and kill a worker a hundred times and look for what is left over: just restarts 500
restarts rounds="100":
    PANGEA_RESTART_ROUNDS={{rounds}} dotnet test -c Release tests/Pangea.DataPlane.Appliance.Tests --filter RestartLeftoverTests

# Check the habits a machine can check, and the format.
check:
    ./test Tidy
    dotnet format whitespace --verify-no-changes Pangea.DataPlane.sln

# Bring the white space of the code in order.
format:
    dotnet format whitespace Pangea.DataPlane.sln

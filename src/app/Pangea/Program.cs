using Pangea.DataPlane.Cli;
using Pangea.DataPlane.Supervisor;
using Pangea.DataPlane.Supervisor.Privilege;
using Pangea.DataPlane.Worker;

// One executable, several roles (decision A1). Jail and worker are chosen here, before the command
// line is touched: a worker's start is time in which calls wait. "pangea worker list" is a client's
// command.
return args switch
{
    ["jail", .. string[] rest] => JailVerb.Run(rest),
    ["warden", .. string[] rest] => WardenVerb.Run(rest),
    ["worker", WorkerVerb.ChannelOption, .. string[] rest] => RunWorker(rest),
    _ => PangeaCommandLine.Run(args, new RoleVerbs
    {
        Supervise = SuperviseVerb.Run,
        SuperviseOptions = SuperviseVerb.Options,
    }),
};

static int RunWorker(string[] rest) => WorkerProcess.Run(WorkerVerb.ChannelFd, rest);

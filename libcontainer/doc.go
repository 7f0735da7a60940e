// Package libcontainer makes containers from OCI bundles and leads them through their lives. It is
// what the commands of oci-run are made of, and another Go program can use it the same way.
//
// A [Factory] stands for one directory of containers. [Factory.Create] makes a container from a
// bundle that specconv.Load has read; [Factory.Load] finds one that exists, whoever made it. A
// [Container] is started, signalled, asked for its state and deleted by its methods:
//
//	bundle, err := specconv.Load("/bundle")
//	factory := &libcontainer.Factory{Root: "/run/mine", CgroupDriver: libcontainer.DriverCgroupfs}
//	created, err := factory.Create("one", bundle, &libcontainer.CreateOptions{})
//	err = created.Container.Start()
//	…
//	err = created.Delete(true)
//
// The examples are whole programs' worth of that, with an exec and what is to be closed and reaped.
//
// # The program is init too
//
// The first process of a container may begin as a second execution of the calling program, from
// /proc/self/exe, with the arguments "init" and numbers of descriptors. An init function below this
// package (libcontainer/internal/initproc) takes such a process over, before main and before most
// other packages are initialised; it does not return. Four things follow for a program that imports
// this package:
//
//   - Its first argument can't be "init": a person who types that gets an error.
//   - It is linked statically (CGO_ENABLED=0, so without the race detector): init starts with no
//     right to open files, and a dynamic linker would fail.
//   - Init functions and variables of packages that are initialised before initproc run inside the
//     new namespaces too. They should do nothing that can be seen.
//   - The binary stays executable as long as the program creates containers. A container can reach
//     it, but not write to it: what is executed is a sealed copy or mount ([CreateOptions].Seal).
//
// Create and Exec need such a second execution only for a user namespace, a seccomp listener or a
// caller who is not root, Create also for hooks inside the container and a few options of mounts,
// and both on other architectures than amd64 and arm64. Otherwise the new process is a list of
// system calls, and the root of a container is made by a thread of the caller's.
//
// # Who holds what
//
// All that is known of a container is in its directory below [Factory].Root; no process has to stay
// for it. The directory is the lock as well (flock(2)): Create and Restore hold it from the moment
// it exists until the container does, and Start, Pause, Resume, Update, Checkpoint and Delete for
// as long as they take, hooks included. They wait ten seconds for it and then name its holder. A
// forced Delete kills the container first and doesn't wait for a holder that goes on. List, Load,
// State, Kill, Exec, Pids, Stats and WatchOOM take no lock and never wait for one. Wait
// takes it for a moment at its end, if it is free, to keep what it has seen.
//
// Each method that changes a container does one thing and leaves a record with which the next can
// go on, however it ends, even by SIGKILL in the middle. What a state does not allow is refused by
// an error with the verb and the state; [ErrNotExist], [ErrExist], [ErrNotRunning] and
// [ErrNotPaused] can be told apart by errors.Is.
//
// The processes of Create, Restore and Exec are children of the calling process, which reaps them
// (wait4(2)) and closes their pidfds; or it exits and leaves them to its subreaper, as oci-run
// does under an engine.
//
// A [Container] is for one goroutine at a time. Create, Restore and Exec change attributes of the
// whole process for a moment (RLIMIT_NOFILE): a program makes one such call at a time. Warnings go
// to the logger that [SetLogger] was given, progress too if it is to have it, or to standard error.
package libcontainer

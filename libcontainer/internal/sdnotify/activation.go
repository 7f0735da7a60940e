package sdnotify

import (
	"fmt"
	"os"
	"strconv"
)

// Activation tells how many sockets the service manager hands to this process, from
// descriptor 3 on, and the variables with which the container's first process finds them
// (sd_listen_fds(3)). getenv is os.Getenv. Variables that are meant for another process
// are not an activation.
func Activation(getenv func(string) string) (n int, env []string, err error) {
	if pid, err := strconv.Atoi(getenv("LISTEN_PID")); err != nil || pid != os.Getpid() {
		return 0, nil, nil
	}
	text := getenv("LISTEN_FDS")
	n, err = strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, nil, fmt.Errorf("LISTEN_FDS=%q is not a number of sockets", text)
	}
	if n == 0 {
		return 0, nil, nil
	}
	env = []string{"LISTEN_FDS=" + text, "LISTEN_PID=1"}
	if names := getenv("LISTEN_FDNAMES"); names != "" {
		env = append(env, "LISTEN_FDNAMES="+names)
	}
	return n, env, nil
}

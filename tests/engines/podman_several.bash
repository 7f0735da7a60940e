# Podman with pods, images of one's own, services that belong together, and many containers: alike for root and an
# ordinary user (podman.bash).
# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2153,SC2317 # variables for the sessions; $status and $output are from bats

session_pod() {
	podman pod create --name p --hostname podhost
	podman run -d --pod p --name server busybox sh -c 'mkdir /www; echo pod >/www/index.html; exec httpd -f -p 8000 -h /www'
	eventually podman run --rm --pod p busybox wget -q -O - http://127.0.0.1:8000/
	run -0 podman run --rm --pod p busybox hostname
	output_is podhost
	run -0 podman run --rm --pod p busybox readlink /proc/self/ns/ipc
	equal 'ipc namespace' "$(readlink "/proc/$(pid_of server)/ns/ipc")" "$output"
	run -0 podman run --rm --pod p busybox sh -c 'echo shared >/dev/shm/x'
	run -0 podman exec server cat /dev/shm/x
	output_is shared
	podman pod stop -t 1 p
	status_is server exited
	podman pod start p
	eventually status_is server running
	run -0 podman pod ps --format '{{.Status}}'
	output_is Running
	podman pod rm -f -t 0 p
	run podman ps -aq
	output_is ''
}

# Containers of a pod that has none of its own to hold the namespaces.
session_pod_without_infra() {
	podman pod create --name q --infra=false
	podman run -d --pod q --name one busybox sleep 1000
	run -0 podman run --rm --pod q busybox echo two
	output_is two
	podman pod rm -f -t 0 q
	run podman ps -aq
	output_is ''
}

# As systemd starts what quadlet generates: the container says when it is ready, and conmon is the main process.
session_sdnotify() {
	podman load -q -i "$images/flask.tar" # has the python that can send a datagram
	local socket=$home/notify.sock conmon
	as_user socat -u "UNIX-RECV:$socket" - >"$home/notified" 2>/dev/null </dev/null &
	echo $! >/run/socat.pid
	eventually test -S "$socket"
	exported=("NOTIFY_SOCKET=$socket")
	NOTIFY_SOCKET=$socket podman run -d --name c --sdnotify container flask python3 -c '
import os, socket, time
while not os.path.exists("/go"):
    time.sleep(0.1)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
    notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
time.sleep(1000)'
	exported=()
	conmon=$(field c .State.ConmonPid)
	eventually grep -F "MAINPID=$conmon" "$home/notified"
	run ! grep -F READY=1 "$home/notified"
	podman exec c touch /go
	eventually grep -F READY=1 "$home/notified"
	kill "$(</run/socat.pid)" || true
	rm -f "$socket" "$home/notified"
}

session_kube() {
	cat >"$home/pod.yaml" <<-'END'
		apiVersion: v1
		kind: Pod
		metadata:
		  name: two
		spec:
		  hostname: kube-host
		  restartPolicy: Never
		  containers:
		  - name: server
		    image: localhost/busybox:latest
		    command: ["sh", "-c", "echo $GREETING >/tmp/index.html; exec httpd -f -p 8080 -h /tmp"]
		    env:
		    - {name: GREETING, value: from kube}
		    securityContext:
		      readOnlyRootFilesystem: false
		      allowPrivilegeEscalation: false
		  - name: client
		    image: localhost/busybox:latest
		    command: ["sleep", "1000"]
		    workingDir: /tmp
	END
	sed -i "s|localhost/busybox|$(podman image inspect --format '{{index .RepoTags 0}}' busybox | sed 's/:.*//')|" "$home/pod.yaml"
	podman play kube "$home/pod.yaml"
	eventually podman exec two-client wget -q -O - http://127.0.0.1:8080/
	run -0 podman exec two-client wget -q -O - http://127.0.0.1:8080/
	output_is 'from kube'
	run -0 podman exec two-server grep NoNewPrivs /proc/self/status
	output_has 1
	run -0 podman exec two-client sh -c 'hostname; pwd'
	output_is $'kube-host\n/tmp'
	run -0 podman generate kube two
	output_has 'kind: Pod'
	podman play kube --down "$home/pod.yaml"
	run podman ps -aq
	output_is ''
}

session_build() {
	local dir=$home/build
	as_user mkdir -p "$dir"
	cat >"$dir/Containerfile" <<-'END'
		FROM busybox AS first
		ARG WORD=none
		RUN echo "built $WORD by $(id -u)" >/made
		RUN ["/bin/sh", "-c", "chown 1000:1000 /made"]
		FROM busybox
		COPY --from=first /made /made
		USER app
		WORKDIR /home/app
		RUN id -un >who && test -O who
		CMD ["sh", "-c", "cat /made who"]
	END
	# Podman 5 sets 1048576 files and processes otherwise, which not every machine's root may.
	podman build -q --ulimit nofile=1000:1000 --ulimit nproc=1000:1000 --network none --build-arg WORD=here -t built "$dir"
	run -0 podman run --rm built
	output_is $'built here by 0\napp'
	podman rmi built >/dev/null
	printf 'FROM busybox\nRUN exit 9\n' >"$dir/Containerfile"
	run -9 podman build --ulimit nofile=1000:1000 --ulimit nproc=1000:1000 --network none --no-cache "$dir"
	output_has 'exit status 9'
	podman image prune -f >/dev/null
	rm -rf "$dir"
}

session_nginx() {
	podman load -q -i "$images/nginx.tar"
	podman run -d --name web -p 8081:80 nginx
	answers http://127.0.0.1:8081/ 'welcome to nginx'
	run -0 podman exec web nginx -s reload
	answers http://127.0.0.1:8081/ 'welcome to nginx'
	eventually logged web 'GET / HTTP'
	podman stop -t 10 web # by SIGQUIT
	equal 'exit code' 0 "$(field web .State.ExitCode)"
}

# A web application that finds its database by name: Debian's netavark asks aardvark-dns.
session_flask() {
	podman load -q -i "$images/redis.tar"
	podman load -q -i "$images/flask.tar"
	podman network create web
	podman run -d --name redis --network web -v counted:/data redis
	podman run -d --name app --network web -p 8082:5000 --hostname application flask
	answers http://127.0.0.1:8082/ 'visit 1 on application'
	answers http://127.0.0.1:8082/ 'visit 2 on application'
	podman stop -t 10 redis # the count is in the volume
	podman start redis
	eventually podman exec redis redis-cli ping
	within 60 podman exec app nslookup redis # aardvark-dns needs a while, in which it doesn't answer at all
	answers http://127.0.0.1:8082/ 'visit 3 on application'
	podman rm -f -t 0 app redis
	podman network rm web
}

session_docker_command() {
	local socket=$1
	docker() { as_user env DOCKER_HOST="unix://$socket" DOCKER_API_VERSION=1.41 /usr/bin/docker "$@"; }
	as_user /usr/bin/podman system service --time 0 "unix://$socket" >"$home/service.log" 2>&1 </dev/null &
	echo $! >/run/service.pid
	eventually test -S "$socket"
	run -0 docker info --format '{{.Name}}'
	run -0 docker run --rm busybox echo 'by way of the API'
	output_has 'by way of the API'
	docker run -d --name c busybox sleep 1000
	run -5 docker exec c sh -c 'exit 5'
	run -0 docker exec c echo inside
	output_is inside
	run -0 docker inspect --format '{{.State.Status}}' c
	output_is running
	run -0 docker top c
	output_has 'sleep 1000'
	docker kill c
	run -0 docker wait c
	output_is 137
	docker rm c
	stop_service
}

# stop_service: and the conmons of execs, which keep their exit status for five minutes, for an API client who may ask.
stop_service() {
	local pid
	pid=$(</run/service.pid)
	kill "$(pgrep -P "$pid" podman || echo "$pid")"
	eventually gone "$pid"
	pkill -KILL -f '^/usr/bin/conmon .* --exit-delay ' || true
}

# session_many NUMBER: started at once, and alive at the same time.
session_many() {
	local names
	mapfile -t names < <(seq -f 'many-%g' "$1")
	printf '%s\n' "${names[@]}" | as_user xargs -P 4 -I@ podman create --name @ --network none busybox \
		sh -c 'echo "this is @"; trap "exit 0" TERM; while :; do sleep 0.5; done' >/dev/null
	podman start "${names[@]}" >/dev/null
	equal 'running containers' "$1" "$(podman ps -q | wc -l)"
	equal 'what they wrote' "$1" "$(podman logs "${names[@]}" | sort -u | grep -c 'this is many-')"
	podman kill -s TERM "${names[@]}" >/dev/null
	podman wait "${names[@]}" >/run/many
	equal 'containers that exited with 0' "$1" "$(grep -cx 0 /run/many)"
}

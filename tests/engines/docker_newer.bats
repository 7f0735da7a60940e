#!/usr/bin/env bats
# bats file_tags=core
# Docker with the runtime under test: what newer versions than Debian 12's ask of a runtime. Each session says which one it
# needs, and is skipped with an older one.
# shellcheck disable=SC2016,SC2154 # what is quoted expands in the container; $output is from bats

load docker

setup_file() { setup_docker busybox nginx redis flask; }
teardown_file() { stop_daemon dockerd; }

# needs_docker MAJOR: the version that brought what the session is about.
needs_docker() {
	local version
	version=$(docker version -f '{{.Server.Version}}')
	((${version%%.*} >= $1)) || skip "Docker $version; it is of $1"
}

@test "docker info has the features that the runtime tells" {
	needs_docker 25
	run -0 docker info -f '{{json (index .Runtimes "oci-run").Status}}'
	jq -r '."org.opencontainers.runtime-spec.features"' <<<"$output" >told
	"$RUNTIME" features >asked
	local part='[.ociVersionMax, .hooks, (.mountOptions | sort), .linux.namespaces, .linux.capabilities, .linux.seccomp.actions]'
	equal features "$(jq -c "$part" asked)" "$(jq -c "$part" told)"
	jq -e '.mountOptions | index("rro")' told
}

# mount_below DIRECTORY: a directory of the host with a mount in it.
mount_below() {
	mkdir -p "$1/below"
	mount -t tmpfs tmpfs "$1/below"
}

@test "read-only mounts are so to the bottom, or only at the top" {
	needs_docker 25
	mount_below dir
	run -0 box --mount "type=bind,source=$PWD/dir,target=/mnt,readonly" busybox \
		sh -c 'touch /mnt/x || touch /mnt/below/x || echo neither'
	output_has neither
	run -0 box --mount "type=bind,source=$PWD/dir,target=/mnt,readonly,bind-recursive=writable" busybox \
		sh -c 'touch /mnt/below/x && echo below; touch /mnt/x || echo not at the top'
	output_has below
	output_has 'not at the top'
	run -0 box --mount "type=bind,source=$PWD/dir,target=/mnt,readonly,bind-recursive=readonly,bind-propagation=rprivate" busybox \
		sh -c 'touch /mnt/below/y || echo refused'
	output_has refused
	run -0 box --mount "type=bind,source=$PWD/dir,target=/mnt,readonly,bind-recursive=disabled" busybox ls -A /mnt/below
	output_is ''
	umount dir/below
}

@test "devices by their names in CDI: nodes, environment, mounts, a hook" {
	needs_docker 28
	mkdir -p /etc/cdi
	echo 'by way of CDI' >file
	cat >/etc/cdi/sessions.json <<-END
		{
			"cdiVersion": "0.6.0", "kind": "sessions.example/device",
			"containerEdits": {"env": ["FROM_CDI=all"]},
			"devices": [{"name": "one", "containerEdits": {
				"env": ["ONE=1"],
				"deviceNodes": [{"path": "/dev/cdi-null", "hostPath": "/dev/null", "type": "c", "major": 1, "minor": 3, "permissions": "rw"}],
				"mounts": [{"hostPath": "$PWD/file", "containerPath": "/from-cdi", "options": ["ro", "nosuid", "nodev", "bind"]}],
				"hooks": [{"hookName": "createContainer", "path": "/bin/sh", "args": ["sh", "-c", "cat >$PWD/hooked"]}]
			}}]
		}
	END
	run -0 box --device sessions.example/device=one busybox \
		sh -c 'echo $FROM_CDI $ONE; cat /from-cdi; echo x >/dev/cdi-null && test -c /dev/cdi-null && echo device'
	output_is $'all 1\nby way of CDI\ndevice'
	equal 'what the hook was told' creating "$(jq -r .status hooked)"
	run box --device sessions.example/device=two busybox true
	((status != 0))
	output_has 'unresolvable CDI devices'
	rm /etc/cdi/sessions.json
}

@test "annotations of docker run are in the runtime's state" {
	needs_docker 24
	background noted --annotation org.example.session=yes busybox sleep 1000
	run -0 "$RUNTIME" --root /run/docker/runtime-runc/moby state "$(inspect noted .Id)"
	equal annotation yes "$(jq -r '.annotations["org.example.session"]' <<<"$output")"
}

@test "sysctls of one network, by the container's side of it" {
	needs_docker 28
	docker network create counted
	run -0 box --network 'name=counted,"driver-opt=com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1"' busybox \
		cat /proc/sys/net/ipv4/conf/eth0/log_martians
	output_is 1
}

@test "a subdirectory of a volume" {
	needs_docker 26
	docker volume create tree
	box -v tree:/t busybox sh -c 'mkdir -p /t/a/b && echo deep >/t/a/b/file'
	run -0 box --mount type=volume,source=tree,target=/mnt,volume-subpath=a/b busybox cat /mnt/file
	output_is deep
	run box --mount type=volume,source=tree,target=/mnt,volume-subpath=a/none busybox true
	((status != 0))
	output_has 'no such file or directory'
}

@test "an image as a volume, read-only" {
	needs_docker 28
	run box --mount type=image,source=nginx,target=/image busybox cat /image/srv/www/index.html
	[[ $output != *'only supported with'* ]] || skip "this Docker's store of images can't: $output"
	output_has 'welcome to nginx' # and, in Docker 28, that this is an experiment
	run box --mount type=image,source=nginx,target=/image busybox touch /image/x
	((status != 0))
	output_has 'Read-only file system'
}

@test "a time namespace of its own, which exec joins; the host's if the daemon is told so" {
	needs_docker 29
	[[ -e /proc/self/ns/time ]] || skip 'no time namespaces in this kernel'
	local host own
	host=$(readlink /proc/self/ns/time)
	background own busybox sleep 1000
	own=$(readlink "/proc/$(pid_of own)/ns/time")
	[[ $own == time:* && $own != "$host" ]] || { echo "its namespace is \"$own\", the host's \"$host\""; false; }
	equal 'of an exec' "$own" "$(docker exec own readlink /proc/self/ns/time)"
	equal 'of its children' "$own" "$(docker exec own readlink /proc/self/ns/time_for_children)"
	run -0 docker exec own awk '{ print $2 + $3 }' /proc/self/timens_offsets
	output_is $'0\n0'
	docker rm -f own
	stop_daemon dockerd
	start_dockerd --feature time-namespaces=false
	equal 'without the feature' "$host" "$(box busybox readlink /proc/self/ns/time)"
	stop_daemon dockerd
	start_dockerd
}

@test "umask: of the container's process, of exec, and of exec as another user" {
	needs_docker 29
	background masked --umask 0027 busybox sh -c 'umask >/tmp/mask; touch /tmp/file; exec sleep 1000'
	eventually docker exec masked test -e /tmp/file
	equal 'of the process' 0027 "$(docker exec masked cat /tmp/mask)"
	equal 'mode of a file' 640 "$(docker exec masked stat -c %a /tmp/file)"
	equal 'of an exec' 0027 "$(docker exec masked sh -c umask)"
	equal 'of another user' 0027 "$(docker exec -u app masked sh -c umask)"
	equal 'if none is given' 0022 "$(box busybox sh -c umask)"
}

@test "CDI 1.1: a network device of the host's, by another name, and groups" {
	needs_docker 29
	ip link add given type veth peer name kept
	ip address add 192.0.2.7/24 dev given
	mkdir -p /etc/cdi
	cat >/etc/cdi/network.json <<-'END'
		{
			"cdiVersion": "1.1.0", "kind": "sessions.example/network",
			"devices": [{"name": "one", "containerEdits": {
				"netDevices": [{"hostInterfaceName": "given", "name": "inside"}],
				"additionalGids": [4242]
			}}]
		}
	END
	run box --network none --device sessions.example/network=one --user app busybox \
		sh -c 'id -G; ls /sys/class/net; ip -4 -o address show inside; cat /sys/class/net/inside/flags'
	rm /etc/cdi/network.json
	ip link delete kept 2>/dev/null || true # its other end may have gone with the container's namespace
	((status == 0)) || { echo "$output"; false; }
	output_has '1000 4242'
	output_has $'inside\nlo'
	output_has 192.0.2.7/24
	output_has 0x1003 # it is up
}

count_of() { docker exec "$1" cat /count; }

@test "checkpoint, and start from it: the count goes on; another is left running" {
	needs_docker 28
	criu check >said 2>&1 || skip "criu check: $(tail -n 1 said)"
	local before
	stop_daemon dockerd
	start_dockerd --experimental
	# With the host's network: that of its own Docker would look for at a process that isn't there yet.
	background counting --network host busybox sh -c 'while :; do i=$((i + 1)); echo $i >/next; mv /next /count; sleep 0.1; done'
	eventually eval '(($(count_of counting) >= 30))'
	docker checkpoint create counting one
	eventually has counting .State.Status exited
	docker cp counting:/count stopped
	before=$(<stopped)
	docker start --checkpoint one counting
	(($(count_of counting) >= before))
	eventually eval "((\$(count_of counting) > $before + 3))"
	(($(docker version -f '{{.Server.Version}}' | cut -d. -f1) < 29)) ||
		[[ ! "/proc/$(pid_of counting)/ns/time" -ef /proc/self/ns/time ]]
	background live --network host busybox sh -c 'while :; do sleep 0.1; done'
	docker checkpoint create --leave-running live two
	run -0 docker checkpoint ls live
	output_has two
	docker exec live true
	has live .State.Running true
	remove_everything
	stop_daemon dockerd
	start_dockerd
}

@test "BuildKit's own runtime: commands with mounts, secrets, a network, a user" {
	needs_docker 23
	docker buildx version >/dev/null 2>&1 || skip 'no buildx here'
	stop_daemon dockerd
	ln -sf "$RUNTIME" /usr/local/sbin/runc # what BuildKit calls has this name
	start_dockerd
	echo hidden >secret
	cat >Dockerfile <<-'END'
		FROM busybox AS first
		RUN --mount=type=cache,target=/cache echo cached >/cache/file && cat /cache/file >/first
		RUN --mount=type=secret,id=word cat /run/secrets/word >>/first
		RUN --network=none ls /sys/class/net >>/first
		FROM busybox
		COPY --from=first /first /
		RUN --mount=type=bind,from=first,target=/other,ro cmp /first /other/first && ! touch /other/x
		RUN --mount=type=tmpfs,target=/scratch,size=1048576 df -k /scratch | grep -q ' 1024 '
		USER app
		RUN id -un >/tmp/who
		CMD ["cat", "/first", "/tmp/who"]
	END
	run -0 docker buildx build --progress plain --secret id=word,src=secret -t built .
	run -0 box built
	output_is $'cached\nhidden\nlo\napp'
	printf 'FROM busybox\nRUN exit 9\n' >Dockerfile
	run docker buildx build --progress plain --no-cache .
	((status != 0))
	output_has 'exit code: 9'
	printf 'FROM busybox\nRUN ["/no/such/program"]\n' >Dockerfile
	run docker buildx build --progress plain --no-cache .
	((status != 0))
	output_has 'no such file or directory'
	docker image rm -f built >/dev/null
	docker builder prune -af >/dev/null
	stop_daemon dockerd
	rm /usr/local/sbin/runc
	start_dockerd
}

@test "compose: nginx before a flask application that counts in redis, with a secret, limits and health" {
	docker compose version >/dev/null 2>&1 || skip 'no docker compose here'
	echo 'a secret word' >word
	cat >compose.yaml <<-'END'
		name: counted
		services:
		  web:
		    image: nginx
		    ports: ["8090:80"]
		    configs: [{source: proxy, target: /etc/nginx/conf.d/proxy.conf}]
		    depends_on: {app: {condition: service_healthy}}
		  app:
		    image: flask
		    secrets: [word]
		    mem_limit: 128m
		    pids_limit: 60
		    healthcheck: {test: [CMD, wget, -qO-, "http://127.0.0.1:5000/health"], interval: 1s, retries: 60}
		    depends_on: [redis]
		  redis:
		    image: redis
		    volumes: ["count:/data"]
		    init: true
		    cap_drop: [ALL]
		    read_only: true
		configs:
		  proxy:
		    content: "server { listen 81; location / { proxy_pass http://app:5000; } }"
		secrets:
		  word: {file: ./word}
		volumes:
		  count:
	END
	docker compose up --detach --pull never --wait --wait-timeout 120
	answers http://127.0.0.1:8090/ 'welcome to nginx'
	run -0 docker compose exec -T web wget -qO- http://127.0.0.1:81/
	output_has 'visit 1 '
	run -0 docker compose exec -T app cat /run/secrets/word
	output_is 'a secret word'
	equal memory $((128 << 20)) "$(value_of counted-app-1 memory memory.limit_in_bytes memory.max)"
	run docker compose exec -T redis touch /file
	((status != 0))
	docker compose up --detach --pull never --scale app=2
	eventually docker compose exec -T --index 2 app wget -qO- http://127.0.0.1:5000/health
	docker compose restart -t 2 redis
	eventually docker compose exec -T web sh -c 'wget -qO- http://127.0.0.1:81/ | grep "visit [2-9] "'
	docker compose down -v -t 2
	run -0 docker ps -aq
	output_is ''
}

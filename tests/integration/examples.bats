#!/usr/bin/env bats
# The examples of the tree, as they stand there. The Go program among them has a test of its own.

load lib

# in_example NAME COMMAND...: a program of an example, with oci-run in the PATH of whoever tries it.
in_example() {
	mkdir -p "$session/bin"
	ln -sf "$OCI_RUN" "$session/bin/oci-run"
	PATH=$session/bin:$PATH "$(realpath "$BATS_TEST_DIRNAME/../../examples")/$1" "${@:2}"
}

@test "a bundle from nothing" {
	in_example nothing/make-bundle "$session/hello" sh -c 'echo "hello from $$"; id -u'
	run -0 oci-run run --bundle "$session/hello" "$id"
	output_is $'hello from 1\n0'
	in_example nothing/make-bundle "$session/shell"
	[[ $(jq -c .process.args,.process.terminal "$session/shell/config.json") == $'["sh"]\ntrue' ]]
}

# add_blob FILE: put it into the layout, and print its digest.
add_blob() {
	local digest
	digest=$(sha256sum "$1" | cut -d' ' -f1)
	cp "$1" "$session/layout/blobs/sha256/$digest"
	echo "sha256:$digest"
}

# make_archive LAYER-DIRECTORY...: image.tar, of these layers, behind an index for two architectures.
make_archive() {
	local layer digests=()
	rm -rf "$session/layout"
	mkdir -p "$session/layout/blobs/sha256"
	for layer; do
		tar -cf "$session/layer.tar" -C "$layer" .
		digests+=("$(add_blob "$session/layer.tar")")
	done
	jq -n '{architecture: "any", os: "linux", config: {Entrypoint: ["sh", "-c"], Cmd: ["pwd; echo $COLOUR; ls -A /dir"], Env: ["PATH=/bin", "COLOUR=blue"], WorkingDir: "/work"}}' >"$session/config"
	jq -n --arg config "$(add_blob "$session/config")" '{schemaVersion: 2, config: {digest: $config}, layers: [$ARGS.positional[] | {digest: .}]}' \
		--args "${digests[@]}" >"$session/manifest"
	local machine
	machine=$(uname -m)
	machine=${machine/x86_64/amd64} machine=${machine/aarch64/arm64}
	jq -n --arg machine "$machine" --arg manifest "$(add_blob "$session/manifest")" '{schemaVersion: 2, manifests: [
		{digest: "sha256:0", platform: {architecture: "other"}}, {digest: $manifest, platform: {architecture: $machine}}]}' >"$session/index"
	jq -n --arg index "$(add_blob "$session/index")" '{schemaVersion: 2, manifests: [{digest: $index}]}' >"$session/layout/index.json"
	tar -cf "$session/image.tar" -C "$session/layout" .
}

@test "a bundle from an image in an archive" {
	mkdir -p "$session"/one/{dir,work,etc} "$session"/two/dir
	cp -a rootfs/bin "$session/one/"
	touch "$session"/one/dir/{a,b} "$session/one/gone" "$session/two/dir/c" "$session/two/dir/.wh..wh..opq" "$session/two/.wh.gone"
	make_archive "$session/one" "$session/two"
	in_example archive/unpack-image "$session/image.tar" "$session/unpacked"
	[[ ! -e $session/unpacked/rootfs/gone ]]
	run -0 oci-run run --bundle "$session/unpacked" "$id"
	output_is $'/work\nblue\nc'
}

@test "an archive that is damaged, or leads out of the bundle, makes none" {
	mkdir -p "$session"/{one,two/out,outside}
	ln -s "$session/outside" "$session/one/out"
	echo evil >"$session/two/out/file"
	make_archive "$session/one" "$session/two"
	run ! in_example archive/unpack-image "$session/image.tar" "$session/unpacked"
	output_has "leads out of the image, to $session/outside"
	[[ -z $(ls -A "$session/outside") ]]
	local blob
	blob=$(sha256sum "$session/layer.tar" | cut -d' ' -f1)
	echo more >>"$session/layout/blobs/sha256/$blob"
	tar -cf "$session/image.tar" -C "$session/layout" .
	run ! in_example archive/unpack-image "$session/image.tar" "$session/unpacked"
	output_has "is not sha256:$blob"
	tar -cf "$session/image.tar" -C "$session/one" .
	run ! in_example archive/unpack-image "$session/image.tar" "$session/unpacked"
	output_has 'it is not an OCI image layout'
}

@test "a hook for each moment" {
	program cat /tmp/hooks.log
	in_example hooks/add-hooks . "$session/hooks.log"
	run -0 oci-run run "$id"
	[[ $output =~ ^'startContainer created mnt:['[0-9]+']'$ ]]
	[[ $(cut -d' ' -f1,2 "$session/hooks.log") == $'createRuntime creating\ncreateContainer creating\npoststart running\npoststop stopped' ]]
	# Those of the container run in its mount namespace, the others in ours.
	[[ $(awk '$1 == "createContainer" { print $3 }' "$session/hooks.log") == "${output##* }" ]]
	[[ $(awk '$1 != "createContainer" { print $3 }' "$session/hooks.log" | sort -u) == "$(readlink /proc/self/ns/mnt)" ]]
}

package idmap

import (
	"fmt"
	"os"
	"strings"

	"oci-run/specconv"
)

// Verify reads the mappings of the user namespace of process pid, which has joined an existing one.
// It fails if they are not those that the config says: ids would be translated by mappings that do
// not apply. Lists that the config leaves empty are not compared. Errors are a
// *specconv.FieldError.
func Verify(pid int, uids, gids []Mapping) (haveUIDs, haveGIDs []Mapping, err error) {
	if haveUIDs, haveGIDs, err = readFile(pid); err != nil {
		return nil, nil, err
	}
	for _, c := range [...]struct {
		kind       string
		want, have []Mapping
	}{
		{"uid", uids, haveUIDs},
		{"gid", gids, haveGIDs},
	} {
		if len(c.want) > 0 && !Equal(c.want, c.have) {
			return nil, nil, specconv.Fieldf("/linux/"+c.kind+"Mappings", "the user namespace to join maps %ss %q, the config says %q",
				c.kind, describe(c.have), describe(c.want))
		}
	}
	return haveUIDs, haveGIDs, nil
}

// describe gives a mapping in one line: "0 100000 65536, 70000 1000 1".
func describe(maps []Mapping) string {
	var parts []string
	for _, m := range compact(maps) {
		parts = append(parts, fmt.Sprintf("%d %d %d", m.ContainerID, m.HostID, m.Size))
	}
	return strings.Join(parts, ", ")
}

// Namespaces keeps an fd of one user namespace for each pair of mappings that idmapped mounts ask
// for. It is not safe for concurrent use.
type Namespaces struct {
	create func(uids, gids []Mapping) (*os.File, error)
	made   []namespace
}

type namespace struct {
	uids, gids []Mapping
	file       *os.File
}

// NewNamespaces returns an empty store. create makes a user namespace with the given mappings and
// returns an fd of it; no process needs to stay in it.
func NewNamespaces(create func(uids, gids []Mapping) (*os.File, error)) *Namespaces {
	return &Namespaces{create: create}
}

// Get returns the namespace with these mappings and makes it if none that is Equal was asked for
// before. The file belongs to the store.
func (n *Namespaces) Get(uids, gids []Mapping) (*os.File, error) {
	for i := range n.made {
		if Equal(n.made[i].uids, uids) && Equal(n.made[i].gids, gids) {
			return n.made[i].file, nil
		}
	}
	file, err := n.create(uids, gids)
	if err != nil {
		return nil, fmt.Errorf("create a user namespace with uids %q, gids %q: %w", describe(uids), describe(gids), err)
	}
	n.made = append(n.made, namespace{uids, gids, file})
	return file, nil
}

// Close closes the files. Mounts that were made with them stay mapped.
func (n *Namespaces) Close() {
	for _, made := range n.made {
		made.file.Close()
	}
	n.made = nil
}

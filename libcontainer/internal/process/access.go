package process

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// MayExecute tells whether the mode of a file gives the process's user the right to execute it, or
// to search it if it is a directory. Root needs one execute bit, of whomever, and may search
// everything (capabilities are not looked at).
func (p *Plan) MayExecute(st *unix.Stat_t) bool {
	switch {
	case p.UID == 0:
		return st.Mode&0o111 != 0 || st.Mode&unix.S_IFMT == unix.S_IFDIR
	case p.UID == st.Uid:
		return st.Mode&0o100 != 0
	case p.GID == st.Gid || slices.Contains(p.Groups, st.Gid):
		return st.Mode&0o010 != 0
	}
	return st.Mode&0o001 != 0
}

// DeniedBy explains which directory is the first on the way to path that the process's user, or the
// calling thread, may not search. It returns "" if there is none.
func (p *Plan) DeniedBy(root Root, path string) string {
	for dir, child := range steps(path) {
		st, err := root.Stat(dir)
		if err != nil {
			return ""
		}
		_, err = root.Stat(child)
		if isPermission(err) || st.Mode&unix.S_IFMT == unix.S_IFDIR && !p.MayExecute(&st) {
			return fmt.Sprintf("directory %q, mode %04o, owner %d:%d, may not be searched by uid %d",
				dir, st.Mode&0o7777, st.Uid, st.Gid, p.UID)
		}
	}
	return ""
}

// steps gives each directory on the way to an absolute path, with the next component: "/", "/a" and
// "/a", "/a/b" for "/a/b".
func steps(path string) iter.Seq2[string, string] {
	return func(yield func(dir, child string) bool) {
		dir := "/"
		for name := range strings.SplitSeq(path, "/") {
			if name == "" {
				continue
			}
			child := strings.TrimSuffix(dir, "/") + "/" + name
			if !yield(dir, child) {
				return
			}
			dir = child
		}
	}
}

// Command image writes an image that has nothing in it but oci-run, as an OCI archive (image-spec
// 1.1: a tar of an image layout), which `ctr images import` and `podman load` take:
//
//	image ARCHIVE VERSION BINARY...
//
// A binary is for the architecture of its ELF header; with several, the image is an index of one
// for each. The same binaries give the same bytes: SOURCE_DATE_EPOCH is the time of creation, 1970
// without it.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"
)

// repository is the image's name without its version. No registry has it.
const repository = "localhost/oci-run"

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: image ARCHIVE VERSION BINARY...")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// write writes an archive with the image of some binaries.
func write(archive, version string, binaries []string) error {
	created, err := creation()
	if err != nil {
		return err
	}
	l := layout{created: created, version: version, blobs: map[string][]byte{}}
	var manifests []descriptor
	for _, name := range binaries {
		m, err := l.image(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		manifests = append(manifests, m)
	}
	top := manifests[0]
	if len(manifests) > 1 {
		if top, err = l.add(mediaIndex, index{2, mediaIndex, manifests}); err != nil {
			return err
		}
	}
	top.Annotations = map[string]string{
		"io.containerd.image.name":          repository + ":" + version,
		"org.opencontainers.image.ref.name": version,
	}
	text, err := l.archive(index{2, mediaIndex, []descriptor{top}})
	if err != nil {
		return err
	}
	return os.WriteFile(archive, text, 0o644)
}

// creation is the time that the image says it was made.
func creation() (time.Time, error) {
	epoch := os.Getenv("SOURCE_DATE_EPOCH")
	if epoch == "" {
		return time.Unix(0, 0).UTC(), nil
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// The media types of image-spec, media-types.md.
const (
	mediaIndex    = "application/vnd.oci.image.index.v1+json"
	mediaManifest = "application/vnd.oci.image.manifest.v1+json"
	mediaConfig   = "application/vnd.oci.image.config.v1+json"
	mediaLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// descriptor is image-spec's, descriptor.md.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Platform    *platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Variant      string `json:"variant,omitempty"`
}

// index is image-spec's, image-index.md.
type index struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Manifests     []descriptor `json:"manifests"`
}

// manifest is image-spec's, manifest.md.
type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
}

// config is image-spec's, config.md.
type config struct {
	platform
	Created string `json:"created"`
	Config  struct {
		Entrypoint []string
		User       string
		Labels     map[string]string
	} `json:"config"`
	RootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
}

// layout is an image layout that is being made.
type layout struct {
	created time.Time
	version string
	blobs   map[string][]byte // by their digests in hexadecimal
}

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// blob adds one and describes it.
func (l *layout) blob(media string, text []byte) descriptor {
	sum := digest(text)
	l.blobs[sum] = text
	return descriptor{MediaType: media, Digest: "sha256:" + sum, Size: len(text)}
}

// add adds a document as a blob.
func (l *layout) add(media string, document any) (descriptor, error) {
	text, err := json.Marshal(document)
	return l.blob(media, text), err
}

// image adds the image of one binary, and describes its manifest.
func (l *layout) image(name string) (descriptor, error) {
	program, err := os.ReadFile(name)
	if err != nil {
		return descriptor{}, err
	}
	p, err := platformOf(program)
	if err != nil {
		return descriptor{}, err
	}
	layer, err := l.tar([]entry{{"oci-run", 0o755, program}})
	if err != nil {
		return descriptor{}, err
	}
	var packed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if _, err := z.Write(layer); err != nil {
		return descriptor{}, err
	}
	if err := z.Close(); err != nil {
		return descriptor{}, err
	}
	c := config{platform: p, Created: l.created.Format(time.RFC3339)}
	c.Config.Entrypoint, c.Config.User = []string{"/oci-run"}, "0:0"
	c.Config.Labels = map[string]string{
		"org.opencontainers.image.title": "oci-run", "org.opencontainers.image.version": l.version, "org.opencontainers.image.licenses": "Apache-2.0",
	}
	c.RootFS.Type, c.RootFS.DiffIDs = "layers", []string{"sha256:" + digest(layer)}
	about, err := l.add(mediaConfig, c)
	if err != nil {
		return descriptor{}, err
	}
	m, err := l.add(mediaManifest, manifest{2, mediaManifest, about, []descriptor{l.blob(mediaLayer, packed.Bytes())}})
	m.Platform = &p
	return m, err
}

// platformOf tells for which platform a program is, in the names that Go has for them.
func platformOf(program []byte) (platform, error) {
	file, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return platform{}, err
	}
	defer file.Close()
	little := file.ByteOrder == binary.LittleEndian
	switch m := file.Machine; {
	case m == elf.EM_X86_64:
		return platform{"amd64", "linux", ""}, nil
	case m == elf.EM_AARCH64:
		return platform{"arm64", "linux", "v8"}, nil
	case m == elf.EM_ARM:
		return platform{"arm", "linux", "v7"}, nil
	case m == elf.EM_386:
		return platform{"386", "linux", ""}, nil
	case m == elf.EM_RISCV:
		return platform{"riscv64", "linux", ""}, nil
	case m == elf.EM_PPC64 && little:
		return platform{"ppc64le", "linux", ""}, nil
	case m == elf.EM_S390:
		return platform{"s390x", "linux", ""}, nil
	case m == elf.EM_LOONGARCH:
		return platform{"loong64", "linux", ""}, nil
	default:
		return platform{}, fmt.Errorf("a program for %v, which has no name as a platform here", m)
	}
}

// entry is a file of a tar.
type entry struct {
	name string
	mode int64
	text []byte
}

// tar packs files that are root's, all of the time of creation.
func (l *layout) tar(entries []entry) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		head := &tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.text)), ModTime: l.created, Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}
		if err := w.WriteHeader(head); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.text); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

// archive packs the layout (image-spec, image-layout.md).
func (l *layout) archive(top index) ([]byte, error) {
	text, err := json.Marshal(top)
	if err != nil {
		return nil, err
	}
	entries := []entry{{"oci-layout", 0o644, []byte(`{"imageLayoutVersion":"1.0.0"}`)}, {"index.json", 0o644, text}}
	for sum, blob := range l.blobs {
		entries = append(entries, entry{"blobs/sha256/" + sum, 0o644, blob})
	}
	slices.SortFunc(entries[2:], func(a, b entry) int { return bytes.Compare([]byte(a.name), []byte(b.name)) })
	return l.tar(entries)
}

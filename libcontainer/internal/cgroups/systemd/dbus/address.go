package dbus

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// ParseAddresses gives the sockets that a list of server addresses names, in its order: a path, or
// "@" and an abstract name (D-Bus specification, "Server Addresses"). Only sockets of unix(7) are
// supported; an address of another kind is an error of its own beside those that can be used.
func ParseAddresses(list string) (sockets []string, errs []error) {
	for text := range strings.SplitSeq(list, ";") {
		if text == "" {
			continue // the list may end in a semicolon
		}
		socket, err := parseAddress(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("D-Bus address %q: %w", text, err))
			continue
		}
		sockets = append(sockets, socket)
	}
	return sockets, errs
}

func parseAddress(text string) (string, error) {
	transport, rest, ok := strings.Cut(text, ":")
	if !ok {
		return "", errors.New("a colon must follow the transport")
	}
	if transport != "unix" {
		return "", fmt.Errorf("transport %q is not supported, only unix is", transport)
	}
	socket := ""
	for pair := range strings.SplitSeq(rest, ",") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return "", fmt.Errorf("%q is not KEY=VALUE", pair)
		}
		value, err := unescape(value)
		if err != nil {
			return "", err
		}
		found := ""
		switch key {
		case "path":
			found = value
		case "abstract":
			found = "@" + value
		case "runtime": // the well-known name in the user's runtime directory
			if found = UserBus(); value != "yes" || found == "" {
				return "", fmt.Errorf("runtime=%s needs XDG_RUNTIME_DIR and the value yes", value)
			}
		default:
			continue // guid, and what later versions of the specification add
		}
		if socket != "" {
			return "", fmt.Errorf("two sockets are given, %q and %q", socket, found)
		}
		socket = found
	}
	if socket == "" || socket == "@" {
		return "", errors.New("none of path=, abstract= and runtime= is given")
	}
	return socket, nil
}

// UserBus is where the message bus of the calling user usually listens; "" without XDG_RUNTIME_DIR.
func UserBus() string {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		return ""
	}
	return dir + "/bus"
}

// unescape turns each %XX of an address's value into the byte that it stands for.
func unescape(value string) (string, error) {
	out := make([]byte, 0, len(value))
	for i := 0; i < len(value); i++ {
		c := value[i]
		if c == '%' {
			if i+2 >= len(value) {
				return "", fmt.Errorf("value %q ends within an escape", value)
			}
			high, low := hexDigit(value[i+1]), hexDigit(value[i+2])
			if high < 0 || low < 0 {
				return "", fmt.Errorf("value %q has an escape that is not %%XX", value)
			}
			c = byte(high<<4 | low)
			i += 2
		}
		if c == 0 {
			return "", fmt.Errorf("value %q has a zero byte", value)
		}
		out = append(out, c)
	}
	return string(out), nil
}

// hexDigit gives the value of a hexadecimal digit; -1 is another character.
func hexDigit(c byte) int {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return strings.IndexByte("0123456789abcdef", c)
}

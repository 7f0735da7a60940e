package oncejson

// Raw is a value as it stands in a document, for somebody who decodes it later. It is what
// json.RawMessage is to encoding/json.
type Raw []byte

// MarshalJSON returns r; nothing is null.
func (r Raw) MarshalJSON() ([]byte, error) {
	if r == nil {
		return []byte("null"), nil
	}
	return r, nil
}

// UnmarshalJSON keeps a copy of the text.
func (r *Raw) UnmarshalJSON(text []byte) error {
	*r = append(Raw(nil), text...)
	return nil
}

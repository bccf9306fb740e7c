package origin

import (
	"cmp"
	"encoding/json"
)

// oldMeta holds the fields of [Meta] whose keys were written with underscores until 2026-11-25.
type oldMeta struct {
	LastModified       string `json:"last_modified"`
	ContentType        string `json:"content_type"`
	ContentEncoding    string `json:"content_encoding"`
	ContentDisposition string `json:"content_disposition"`
	ContentLanguage    string `json:"content_language"`
	AcceptRanges       bool   `json:"accept_ranges"`
}

var _ json.Unmarshaler = (*Meta)(nil)

// UnmarshalJSON implements [json.Unmarshaler]. It decodes both spellings of the keys, because a
// history keeps the spelling with which it was recorded: lowerCamelCase, as in every other type of
// a history, and the underscores (content_type) of earlier builds. If a document holds both,
// lowerCamelCase wins.
//
// A rollback is not covered. An earlier build does not know the new spelling: it would drop the
// headers and the support for ranges of a source that a later build described. No release has the
// old spelling, so none is needed.
func (m *Meta) UnmarshalJSON(data []byte) error {
	type plain Meta // has no UnmarshalJSON
	if err := json.Unmarshal(data, (*plain)(m)); err != nil {
		return err
	}
	var old oldMeta
	if err := json.Unmarshal(data, &old); err != nil {
		return err
	}
	m.LastModified = cmp.Or(m.LastModified, old.LastModified)
	m.ContentType = cmp.Or(m.ContentType, old.ContentType)
	m.ContentEncoding = cmp.Or(m.ContentEncoding, old.ContentEncoding)
	m.ContentDisposition = cmp.Or(m.ContentDisposition, old.ContentDisposition)
	m.ContentLanguage = cmp.Or(m.ContentLanguage, old.ContentLanguage)
	m.AcceptRanges = m.AcceptRanges || old.AcceptRanges
	return nil
}

package store

import (
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/proto"
)

// Message makes a protobuf message a field of a row: its wire format, in base64.
type Message[M any, P interface {
	*M
	proto.Message
}] struct {
	Value P
}

// Of wraps a message; the row then shares it with the caller.
func Of[M any, P interface {
	*M
	proto.Message
}](value P) Message[M, P] {
	return Message[M, P]{Value: value}
}

// MarshalJSON writes the message's wire format; an absent message is null.
func (m Message[M, P]) MarshalJSON() ([]byte, error) {
	if m.Value == nil {
		return []byte("null"), nil
	}
	wire, err := proto.Marshal(m.Value)
	if err != nil {
		return nil, fmt.Errorf("%T: %w", m.Value, err)
	}
	return json.Marshal(wire)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (m *Message[M, P]) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		m.Value = nil
		return nil
	}
	var wire []byte
	if err := json.Unmarshal(text, &wire); err != nil {
		return err
	}
	m.Value = new(M)
	if err := proto.Unmarshal(wire, m.Value); err != nil {
		return fmt.Errorf("%T: %w", m.Value, err)
	}
	return nil
}

package formats

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
)

// maxMarkup bounds one piece of markup or text in a streamed XML file, in bytes; a mask of a large image is some megabytes.
const maxMarkup = 16 << 20

// xmlScanner reads XML from a stream, element by element, in bounded memory. No entity is ever expanded but XML's own five.
type xmlScanner struct {
	plain  *xml.Decoder
	source *meteredReader
	open   []string // the names of the elements around this place
}

func newXMLScanner(r io.Reader) *xmlScanner {
	s := &xmlScanner{source: &meteredReader{buffered: bufio.NewReaderSize(r, 64<<10)}}
	s.plain = xml.NewDecoder(s.source)
	s.plain.CharsetReader = decodeCharset
	return s
}

// token returns the next token and keeps open.
func (s *xmlScanner) token() (xml.Token, error) {
	s.source.left = maxMarkup
	token, err := s.plain.RawToken()
	if errors.Is(err, io.EOF) && len(s.open) > 0 {
		err = errTruncated
	}
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case xml.StartElement:
		if s.open = append(s.open, token.Name.Local); len(s.open) > maxDepth {
			return nil, fmt.Errorf("nested more than %d deep", maxDepth)
		}
	case xml.EndElement:
		n := len(s.open) - 1
		if n < 0 || s.open[n] != token.Name.Local {
			return nil, fmt.Errorf("</%s> where another element should end", token.Name.Local)
		}
		s.open = s.open[:n]
	default:
	}
	return token, nil
}

// child takes the beginning of the next element at this level; nil where the level ends.
func (s *xmlScanner) child() (*xml.StartElement, error) {
	for {
		token, err := s.token()
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			return &token, nil
		case xml.EndElement:
			return nil, nil
		default:
		}
	}
}

// skip takes what is left of the element that was begun last.
func (s *xmlScanner) skip() error {
	for level := len(s.open); len(s.open) >= level; {
		if _, err := s.token(); err != nil {
			return err
		}
	}
	return nil
}

// text takes the text of the element that was begun last, elements in it left out.
func (s *xmlScanner) text() (string, error) {
	var text []byte
	for level := len(s.open); len(s.open) >= level; {
		token, err := s.token()
		if err != nil {
			return "", err
		}
		if part, ok := token.(xml.CharData); ok && len(s.open) == level {
			if text = append(text, part...); len(text) > maxWord {
				return "", fmt.Errorf("a text of more than %d bytes", maxWord)
			}
		}
	}
	return cleanText(text), nil
}

// meteredReader fails when one token takes more than left bytes.
type meteredReader struct {
	buffered *bufio.Reader
	left     int
}

var errMarkup = fmt.Errorf("a piece of markup of more than %d MB", maxMarkup>>20)

// Read implements io.Reader.
func (m *meteredReader) Read(p []byte) (int, error) {
	if m.left < 0 {
		return 0, errMarkup
	}
	n, err := m.buffered.Read(p)
	m.left -= n
	return n, err
}

// ReadByte implements io.ByteReader.
func (m *meteredReader) ReadByte() (byte, error) {
	if m.left--; m.left < 0 {
		return 0, errMarkup
	}
	return m.buffered.ReadByte()
}

// attribute is the value of an element's attribute; empty for none.
func attribute(element *xml.StartElement, name string) string {
	for i := range element.Attr {
		if element.Attr[i].Name.Local == name {
			return element.Attr[i].Value
		}
	}
	return ""
}

package sqs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/google/renameio/v2"
)

// journal holds the messages that were sent since the last write of the state file. A sender gets
// its answer after the message is in the journal, so a kill -9 loses no message. It may bring
// deleted messages back: delivery is at least once. It is not safe for concurrent use.
type journal struct {
	path  string // Empty keeps no journal.
	file  *os.File
	lines []line
}

// line is a sent message and its queue.
type line struct {
	Queue   string
	Message message
}

// add appends a message.
func (j *journal) add(queue string, m *message) error {
	if j.path == "" {
		return nil
	}
	l := line{queue, *m}
	b, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("sqs: encode a message: %w", err)
	}
	if j.file == nil {
		if j.file, err = os.OpenFile(j.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
			return fmt.Errorf("sqs: open the journal: %w", err)
		}
	}
	if _, err := j.file.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("sqs: write the journal: %w", err)
	}
	j.lines = append(j.lines, l)
	return nil
}

// drop removes the messages up to a sequence number: the state file has them.
func (j *journal) drop(sequence uint64) error {
	if len(j.lines) == 0 {
		return nil
	}
	return j.rewrite(sequence)
}

// rewrite writes the journal without the messages up to a sequence number.
func (j *journal) rewrite(sequence uint64) error {
	j.lines = slices.DeleteFunc(j.lines, func(l line) bool { return l.Message.Sequence <= sequence })
	var b bytes.Buffer
	for _, l := range j.lines {
		if err := json.NewEncoder(&b).Encode(l); err != nil {
			return fmt.Errorf("sqs: encode a message: %w", err)
		}
	}
	if err := renameio.WriteFile(j.path, b.Bytes(), 0o600); err != nil {
		return fmt.Errorf("sqs: write the journal: %w", err)
	}
	return j.close()
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	return err
}

// readJournal returns the messages of a journal. A kill may have cut off the last line, whose sender
// has no answer.
func readJournal(path string) (lines []line, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("sqs: read the journal: %w", err)
	}
	for text := range bytes.Lines(b) {
		var l line
		if !bytes.HasSuffix(text, []byte("\n")) {
			break
		}
		if err := json.Unmarshal(text, &l); err != nil {
			return nil, fmt.Errorf("sqs: decode the journal %s: %w", path, err)
		}
		lines = append(lines, l)
	}
	return lines, nil
}

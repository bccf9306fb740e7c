package sqs

import (
	"container/heap"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"time"

	"github.com/google/renameio/v2"
)

// state is the content of the state file.
type state struct {
	Version int
	// Sequence is that of the last message that was sent. The journal has later ones.
	Sequence uint64
	Queues   []queueState
}

type queueState struct {
	Name     string
	Settings settings
	Tags     map[string]string
	Created  time.Time
	Modified time.Time
	Messages []message
}

// stateVersion increases when the meaning of the file changes. load refuses any other version.
const stateVersion = 1

// saveLoop saves the state periodically until Close. A write takes as long as there are messages, so
// that it then rests.
func (s *Server) saveLoop() {
	ticker := s.clock.NewTicker(saveInterval)
	defer ticker.Stop()
	var rested time.Time
	for {
		select {
		case <-s.closing:
			return
		case <-ticker.Chan():
			start := s.clock.Now()
			if start.Before(rested) {
				continue
			}
			if err := s.save(); err != nil {
				s.onError(err)
			}
			rested = start.Add(saveRest * s.clock.Since(start))
		}
	}
}

// save writes the state file if the state has changed since the last write. It encodes a copy with
// s.mu released, because encoding may take longer than a request should wait.
func (s *Server) save() error {
	if s.path == "" {
		return nil
	}
	s.mu.Lock()
	if !s.dirty {
		s.mu.Unlock()
		return nil
	}
	st := s.copyState()
	s.dirty = false
	s.mu.Unlock()

	b, err := json.Marshal(st)
	if err == nil {
		err = renameio.WriteFile(s.path, b, 0o600)
	}
	if err != nil {
		s.mu.Lock()
		s.dirty = true // Retry at the next save
		s.mu.Unlock()
		return fmt.Errorf("sqs: write %s: %w", s.path, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.journal.drop(st.Sequence)
}

func (s *Server) copyState() state {
	st := state{Version: stateVersion, Sequence: s.sequence}
	now := s.clock.Now()
	for _, q := range s.queues {
		q.dropExpired(now)
		qs := queueState{
			Name: q.name, Settings: settings{}, Tags: map[string]string{},
			Created: q.created, Modified: q.modified,
		}
		maps.Copy(qs.Settings, q.settings)
		maps.Copy(qs.Tags, q.tags)
		for _, m := range q.order {
			qs.Messages = append(qs.Messages, *m) // The maps of a sent message never change
		}
		st.Queues = append(st.Queues, qs)
	}
	return st
}

func (s *Server) load() error {
	sent, err := readJournal(s.journal.path)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sqs: read the state file: %w", err)
	}
	st := state{}
	if err := json.Unmarshal(b, &st); err != nil {
		return fmt.Errorf("sqs: decode the state file %s: %w", s.path, err)
	}
	if st.Version != stateVersion {
		return fmt.Errorf("sqs: state file %s has version %d, want %d", s.path, st.Version, stateVersion)
	}
	for _, qs := range st.Queues {
		s.queues[qs.Name] = s.restore(qs)
	}
	// Parse the policies only now: each of them names another queue.
	for _, q := range s.queues {
		if q.redrive, err = s.parseRedrive(q.settings["RedrivePolicy"]); err != nil {
			q.redrive = nil // The dead-letter queue was deleted
		}
	}
	for _, l := range sent {
		if q := s.queues[l.Queue]; q != nil && l.Message.Sequence > st.Sequence {
			q.add(&l.Message)
			s.sequence, s.dirty = max(s.sequence, l.Message.Sequence), true
		}
	}
	s.sequence = max(s.sequence, st.Sequence)
	s.journal.lines = sent
	return s.journal.rewrite(st.Sequence) // Without half a line, which the next message would join
}

func (s *Server) restore(qs queueState) *queue {
	q := newQueue(qs.Name, qs.Created)
	q.modified = qs.Modified
	maps.Copy(q.settings, qs.Settings)
	maps.Copy(q.tags, qs.Tags)
	for i := range qs.Messages {
		m := &qs.Messages[i]
		q.byID[m.ID] = m
		q.order = append(q.order, m)
		m.index = i
		s.sequence = max(s.sequence, m.Sequence)
	}
	heap.Init(&q.order)
	return q
}

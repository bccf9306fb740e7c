package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
)

// sample is one measured process.
type sample struct {
	outcome
	process.Usage
	// sent is the number of bytes that the source sent, divided by the size of the object.
	sent float64
}

// samples are those of one object.
type samples struct{ ours, second, rclone, limit []sample }

// taskProgram is this program as a measured process.
func taskProgram(what string, t task) (process.Program, error) {
	arg, err := json.Marshal(t)
	if err != nil {
		return process.Program{}, err
	}
	return process.Self(what, string(arg))
}

// runSelf runs this program as a measured process.
func (b *bench) runSelf(ctx context.Context, what string, t task) (s sample, err error) {
	program, err := taskProgram(what, t)
	if err != nil {
		return s, err
	}
	var out []byte
	if out, s.Usage, err = process.Run(ctx, program); err != nil {
		return s, fmt.Errorf("%s: %w", what, err)
	}
	return s, json.Unmarshal(out, &s.outcome)
}

func (b *bench) withCopier(ctx context.Context, o object, t task) (sample, error) {
	s, err := b.runSelf(ctx, runCopy, t)
	if err == nil && s.Way != o.way {
		err = fmt.Errorf("the way of the copy is %s instead of %s", s.Way, o.way)
	}
	return s, err
}

func (b *bench) toLimit(ctx context.Context, _ object, t task) (sample, error) {
	return b.runSelf(ctx, runLimit, t)
}

// secondCopy measures a copy by a process that has copied another object before, as a worker has.
func (b *bench) secondCopy(ctx context.Context, o object, t task) (sample, error) {
	before := b.job(o)
	t.Before = &before
	s, err := b.runSelf(ctx, runCopy, t)
	if err != nil {
		return s, err
	}
	s.Usage.Wall, s.Usage.CPU = s.outcome.Wall, s.outcome.CPU
	return s, b.remove(ctx, before)
}

// withRclone copies as a user of rclone without a configuration does, with one exception. rclone's
// AWS SDK sends "Expect: 100-Continue". versitygw does not recognise its capital letter, and
// rclone would wait a second with each part.
func (b *bench) withRclone(ctx context.Context, _ object, t task) (s sample, err error) {
	c := t.Copies[0]
	program := process.Program{
		Path: b.rclone, Args: []string{"copyurl", c.URL, ":s3:" + bucketName + "/" + c.Key},
		Env: []string{
			"HOME=" + b.dir, "PATH=" + os.Getenv("PATH"), "RCLONE_CONFIG=" + os.DevNull, "RCLONE_EXPECT_CONTINUE_TIMEOUT=0",
			"RCLONE_S3_PROVIDER=Other", "RCLONE_S3_ENDPOINT=" + t.Endpoint, "RCLONE_S3_REGION=" + t.Region,
			"RCLONE_S3_FORCE_PATH_STYLE=true", "RCLONE_S3_ACCESS_KEY_ID=" + os.Getenv("AWS_ACCESS_KEY_ID"),
			"RCLONE_S3_SECRET_ACCESS_KEY=" + os.Getenv("AWS_SECRET_ACCESS_KEY"),
		},
	}
	_, s.Usage, err = process.Run(ctx, program)
	return s, err
}

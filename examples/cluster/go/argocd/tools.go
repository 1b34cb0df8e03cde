//go:build tools

// Package tools names Argo CD's program, so that `go mod tidy` keeps what it needs.
package tools

import _ "github.com/argoproj/argo-cd/v3/cmd"

//go:build tools

// Package tools names Kueue's program, so that `go mod tidy` keeps what it needs.
package tools

import _ "sigs.k8s.io/kueue/cmd/kueue"

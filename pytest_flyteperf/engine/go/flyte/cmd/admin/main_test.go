package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/flyteperf/pytest-flyteperf/engine/go/flyte/internal/store"
)

const programVariable = "FLYTEPERF_TEST_PROGRAM"

// TestMain lets the test's own file be the program, as a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv(programVariable) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

const kubeconfig = `
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: x, context: {cluster: c}}]
current-context: x
`

const configuration = `
standin: {listen: "ADDRESS", metricsListen: "127.0.0.1:0", database: FOLDER/state.db, kubeconfig: FOLDER/kubeconfig}
storage: {type: mem}
logger: {level: 1}
`

func configure(t *testing.T, folder string) (path, address string) {
	t.Helper()
	var listen net.ListenConfig
	free, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(folder, "admin.yaml")
	write(t, path, strings.NewReplacer("ADDRESS", address, "FOLDER", folder).Replace(configuration))
	write(t, filepath.Join(folder, "kubeconfig"), kubeconfig)
	return path, address
}

func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0], args...)
	command.Env = append(os.Environ(), programVariable+"=1")
	return command
}

func TestItServesUntilItIsToldToStop(t *testing.T) {
	path, address := configure(t, t.TempDir())
	for range 2 { // the second time with the state of the first
		running := program(t, "--config", path)
		if err := running.Start(); err != nil {
			t.Fatal(err)
		}
		client, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		_, err = grpc_health_v1.NewHealthClient(client).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}, grpc.WaitForReady(true))
		if err != nil {
			t.Fatal(err)
		}
		if err := running.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := running.Wait(); err != nil {
			t.Errorf("a requested stop is no failure, got %v", err)
		}
		if err := client.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestItSaysInOneLineWhyItDoesNotStart(t *testing.T) {
	for sentence, test := range map[string]struct {
		spoil func(t *testing.T, folder string)
		want  string
	}{
		"state that another process holds": {func(t *testing.T, folder string) {
			t.Helper()
			db, err := store.Open(filepath.Join(folder, "state.db"), time.Now)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
		}, "state.db: locked by another process"},
		"state that is none": {func(t *testing.T, folder string) {
			t.Helper()
			write(t, filepath.Join(folder, "state.db"), strings.Repeat("no database ", 10_000))
		}, "state.db: invalid database"},
		"no kubeconfig": {func(t *testing.T, folder string) {
			t.Helper()
			remove(t, filepath.Join(folder, "kubeconfig"))
		}, "kubeconfig: "},
		"no configuration": {func(t *testing.T, folder string) {
			t.Helper()
			remove(t, filepath.Join(folder, "admin.yaml"))
		}, "admin.yaml: no such file"},
	} {
		t.Run(sentence, func(t *testing.T) {
			folder := t.TempDir()
			path, _ := configure(t, folder)
			test.spoil(t, folder)
			expectRefusal(t, program(t, "--config", path), test.want)
		})
	}
}

func TestItAsksForAConfiguration(t *testing.T) {
	expectRefusal(t, program(t), "--config FILE")
}

func expectRefusal(t *testing.T, command *exec.Cmd, want string) {
	t.Helper()
	var said strings.Builder
	command.Stderr = &said
	var exit *exec.ExitError
	if err := command.Run(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("want exit status 1, got %v", err)
	}
	if !strings.Contains(said.String(), want) || strings.Count(said.String(), "\n") != 1 {
		t.Errorf("want one line with %q, got %q", want, said.String())
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

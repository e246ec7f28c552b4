package deploy_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/signet-id/signet/internal/config"
)

// object is a part of a manifest.
type object = map[string]any

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// manifest reads the one document of a file.
func manifest(t *testing.T, name string) object {
	t.Helper()
	d := yaml.NewDecoder(strings.NewReader(read(t, filepath.Join("kubernetes", name))))
	var out object
	if err := d.Decode(&out); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		t.Fatalf("%s has more than one document: %v", name, err)
	}
	return out
}

// at follows a path into a manifest; a number is a place in a list.
func at(t *testing.T, from any, path ...any) any {
	t.Helper()
	for i, step := range path {
		switch key := step.(type) {
		case string:
			m, ok := from.(object)
			if !ok || m[key] == nil {
				t.Fatalf("there is no %v", path[:i+1])
			}
			from = m[key]
		case int:
			l, ok := from.([]any)
			if !ok || key >= len(l) {
				t.Fatalf("there is no %v", path[:i+1])
			}
			from = l[key]
		}
	}
	return from
}

func is(t *testing.T, from any, want any, path ...any) {
	t.Helper()
	if got := at(t, from, path...); got != want {
		t.Errorf("%v is %v, want %v", path, got, want)
	}
}

// parse reads a configuration as the server would, and returns it.
func parse(t *testing.T, path string, environ ...string) config.Config {
	t.Helper()
	cfg, err := config.Parse(path, []byte(read(t, path)), environ)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func port(t *testing.T, address string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := net.LookupPort("tcp", text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// unit reads the settings of a systemd unit, section by section.
func unit(t *testing.T, path string) map[string][]string {
	t.Helper()
	out, section := map[string][]string{}, ""
	lines := bufio.NewScanner(strings.NewReader(read(t, path)))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			section = strings.Trim(line, "[]")
		default:
			key, value, found := strings.Cut(line, "=")
			if !found {
				t.Fatalf("%s: %q is no setting", path, line)
			}
			out[section+"."+key] = append(out[section+"."+key], value)
		}
	}
	return out
}

func TestTheUnitAndItsConfigurationNameTheSamePlaces(t *testing.T) {
	u := unit(t, "systemd/signet.service")
	cfg := parse(t, "systemd/signet.yaml", "SIGNET_KEYS_ENCRYPTION_KEY_FILE=/run/credentials/signet.service/signet.key")
	if got, want := filepath.Dir(cfg.StorePath()), "/var/lib/"+u["Service.StateDirectory"][0]; got != want {
		t.Errorf("the store is in %s, and the unit's folder is %s", got, want)
	}
	if got, want := filepath.Dir(cfg.SocketPath()), "/run/"+u["Service.RuntimeDirectory"][0]; got != want {
		t.Errorf("the socket is in %s, and the unit's folder is %s", got, want)
	}
	name, _, _ := strings.Cut(u["Service.LoadCredential"][0], ":")
	if want := "SIGNET_KEYS_ENCRYPTION_KEY_FILE=%d/" + name; !slices.Contains(u["Service.Environment"], want) {
		t.Errorf("the environment has no %s", want)
	}
	if got, want := u["Service.ExecStart"][0], "/usr/local/bin/signet serve --config /etc/signet/signet.yaml"; got != want {
		t.Errorf("ExecStart is %s, want %s", got, want)
	}
	if len(cfg.Advice()) != 0 {
		t.Errorf("the configuration deserves advice: %v", cfg.Advice())
	}
}

func TestTheUnitGivesTheServerNothingThatItDoesNotNeed(t *testing.T) {
	u := unit(t, "systemd/signet.service")
	for key, want := range map[string]string{
		"DynamicUser": "yes", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes",
		"PrivateDevices": "yes", "CapabilityBoundingSet": "", "MemoryDenyWriteExecute": "yes", "StateDirectoryMode": "0700",
		"RuntimeDirectoryMode": "0700", "UMask": "0077", "RestrictNamespaces": "yes", "SystemCallArchitectures": "native",
	} {
		if got := u["Service."+key]; len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
}

// systemd knows its own settings, and judges what is left open.
func TestSystemdAcceptsTheUnit(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("there is no systemd-analyze here")
	}
	// Verifying wants the program to be there.
	text := strings.ReplaceAll(read(t, "systemd/signet.service"), "/usr/local/bin/signet", "/bin/true")
	path := filepath.Join(t.TempDir(), "signet.service")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := exec.CommandContext(t.Context(), analyze, "verify", path).CombinedOutput()
	if err != nil || bytes.Contains(said, []byte("signet.service:")) {
		t.Errorf("systemd-analyze verify: %v\n%s", err, said)
	}
	// Exposure, from 0 to 10: below 2 is as closed as a server can be.
	said, err = exec.CommandContext(t.Context(), analyze, "security", "--offline=yes", "--threshold=20", path).CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, said)
	}
}

func TestTheImageIsBuiltAsTheTaskBuilds(t *testing.T) {
	text := read(t, "Dockerfile")
	goVersion := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "../go.mod"))
	if goVersion == nil || !strings.Contains(text, "FROM golang:"+goVersion[1]+" AS build\n") {
		t.Errorf("the image is not built with the Go of go.mod, %v", goVersion)
	}
	for _, want := range []string{"CGO_ENABLED=0", "-trimpath", "-s -w -X main.version="} {
		if !strings.Contains(text, want) || !strings.Contains(strings.ReplaceAll(read(t, "../Taskfile.yml"), "CGO_ENABLED: '0'", "CGO_ENABLED=0"), want) {
			t.Errorf("the image or the task is not built with %s", want)
		}
	}
	last := text[strings.LastIndex(text, "\nFROM "):]
	if !strings.HasPrefix(last, "\nFROM scratch\n") || !regexp.MustCompile(`(?m)^USER [1-9]\d*:[1-9]\d*$`).MatchString(last) {
		t.Errorf("the image is not bare, or runs as root: %s", last)
	}
	d := config.Default()
	for _, address := range []string{d.HTTP.Address, d.Metrics.Address} {
		_, want, _ := net.SplitHostPort(address)
		if !regexp.MustCompile(`(?m)^EXPOSE .*\b` + want + `\b`).MatchString(last) {
			t.Errorf("the image does not expose %s", want)
		}
	}
}

func TestTheNodesAreThreeAndAnyTwoStay(t *testing.T) {
	d, pdb, service := manifest(t, "deployment.yaml"), manifest(t, "disruption.yaml"), manifest(t, "service.yaml")
	is(t, d, 3, "spec", "replicas")
	is(t, d, 0, "spec", "strategy", "rollingUpdate", "maxUnavailable")
	is(t, pdb, 1, "spec", "maxUnavailable")
	is(t, service, "None", "spec", "sessionAffinity")
	is(t, d, "DoNotSchedule", "spec", "template", "spec", "topologySpreadConstraints", 1, "whenUnsatisfiable")
	labels := at(t, d, "spec", "template", "metadata", "labels").(object)
	for name, selector := range map[string]any{
		"deployment": at(t, d, "spec", "selector", "matchLabels"),
		"spread":     at(t, d, "spec", "template", "spec", "topologySpreadConstraints", 1, "labelSelector", "matchLabels"),
		"budget":     at(t, pdb, "spec", "selector", "matchLabels"),
		"service":    at(t, service, "spec", "selector"),
		"network":    at(t, manifest(t, "network.yaml"), "spec", "podSelector", "matchLabels"),
	} {
		if !maps.Equal(selector.(object), labels) {
			t.Errorf("%s selects %v, and the nodes are %v", name, selector, labels)
		}
	}
}

func TestTheManifestsAndTheirConfigurationNameTheSamePlaces(t *testing.T) {
	pod := at(t, manifest(t, "deployment.yaml"), "spec", "template", "spec")
	box := at(t, pod, "containers", 0)
	var environ []string
	for _, v := range at(t, box, "env").([]any) {
		if value, ok := v.(object)["value"].(string); ok {
			environ = append(environ, v.(object)["name"].(string)+"="+value)
		}
	}
	cfg := parse(t, "kubernetes/signet.yaml", environ...)
	ports := map[any]any{}
	for _, p := range at(t, box, "ports").([]any) {
		ports[p.(object)["name"]] = p.(object)["containerPort"]
	}
	if want := map[any]any{"http": port(t, cfg.HTTP.Address), "metrics": port(t, cfg.Metrics.Address)}; !maps.Equal(ports, want) {
		t.Errorf("the container's ports are %v, the configuration's %v", ports, want)
	}
	for _, probe := range []string{"readinessProbe", "livenessProbe", "startupProbe"} {
		is(t, box, "metrics", probe, "httpGet", "port")
	}
	is(t, box, "/readyz?exclude=store", "readinessProbe", "httpGet", "path")
	is(t, box, "/healthz", "livenessProbe", "httpGet", "path")
	is(t, box, "/healthz", "startupProbe", "httpGet", "path")
	var mounts []string
	for _, m := range at(t, box, "volumeMounts").([]any) {
		mounts = append(mounts, m.(object)["mountPath"].(string))
	}
	for _, path := range []string{cfg.SocketPath(), cfg.Keys.EncryptionKeyFile, cfg.StorePasswordFile, "/etc/signet/signet.yaml"} {
		if !slices.Contains(mounts, filepath.Dir(path)) {
			t.Errorf("%s is in no volume: %v", path, mounts)
		}
	}
	// What the server demands of its key: nothing for strangers, no writing.
	is(t, pod, 0o440, "volumes", 1, "secret", "defaultMode")
	for i, path := range []string{cfg.Keys.EncryptionKeyFile, cfg.StorePasswordFile} {
		name := filepath.Base(path)
		is(t, pod, name, "volumes", 1, "secret", "items", i, "path")
		if !strings.Contains(read(t, "kubernetes/kustomization.yaml"), " --from-file="+name) {
			t.Errorf("nobody says how the secret gets %s", name)
		}
	}
	if !cfg.Engine().Shared() {
		t.Error("three nodes do not share one file")
	}
}

// What travels to the engine opens sessions, and each node would otherwise make a
// key that opens nothing of the others'.
func TestTheNodesVerifyTheirEngineAndShareTheirKey(t *testing.T) {
	cfg := parse(t, "kubernetes/signet.yaml")
	if at := cfg.Engine(); at.Kind != config.Postgres || !strings.Contains(at.URL.Reveal(), "sslmode=verify-full") || at.User == "" {
		t.Errorf("the engine of the manifests is %s, reached by %s", at.Name(), at.URL.Reveal())
	}
	text := read(t, "kubernetes/signet.yaml")
	if !strings.Contains(text, cfg.Keys.EncryptionKeyFile) {
		t.Fatal("the manifests name no key")
	}
	if _, err := config.Parse("signet.yaml", []byte(strings.Replace(text, "encryption_key_file: "+cfg.Keys.EncryptionKeyFile, "", 1)), nil); err == nil {
		t.Error("the manifests would do without the key")
	}
	// The unit's server may move to such an engine by what its comments say.
	u := unit(t, "systemd/signet.service")
	name, _, _ := strings.Cut(u["Service.LoadCredential"][0], ":")
	if !strings.Contains(read(t, "systemd/signet.service"), "#Environment=SIGNET_STORE_PASSWORD_FILE=%d/store.password\n") {
		t.Error("the unit does not say how the password of a store comes in")
	}
	parse(t, "systemd/signet.yaml", "SIGNET_STORE=postgres://signet@db.example.com/signet",
		"SIGNET_KEYS_ENCRYPTION_KEY_FILE=/run/credentials/signet.service/"+name, "SIGNET_STORE_PASSWORD_FILE=/run/credentials/signet.service/store.password")
}

func TestTheNodesMayDoNothingBeyondServing(t *testing.T) {
	pod := at(t, manifest(t, "deployment.yaml"), "spec", "template", "spec")
	is(t, pod, true, "securityContext", "runAsNonRoot")
	is(t, pod, "RuntimeDefault", "securityContext", "seccompProfile", "type")
	is(t, pod, false, "automountServiceAccountToken")
	is(t, pod, false, "enableServiceLinks")
	box := at(t, pod, "containers", 0, "securityContext")
	is(t, box, false, "allowPrivilegeEscalation")
	is(t, box, true, "readOnlyRootFilesystem")
	is(t, box, "ALL", "capabilities", "drop", 0)
	is(t, manifest(t, "namespace.yaml"), "restricted", "metadata", "labels", "pod-security.kubernetes.io/enforce")
	if user := regexp.MustCompile(`(?m)^USER (\d+)`).FindStringSubmatch(read(t, "Dockerfile")); user == nil || user[1] != "65532" {
		t.Errorf("the image's user is %v", user)
	}
	is(t, pod, 65532, "securityContext", "runAsUser")
	is(t, pod, 65532, "securityContext", "fsGroup")
}

func TestEveryManifestIsApplied(t *testing.T) {
	k := manifest(t, "kustomization.yaml")
	var named []string
	for _, r := range at(t, k, "resources").([]any) {
		named = append(named, r.(string))
	}
	for _, f := range at(t, k, "configMapGenerator", 0, "files").([]any) {
		named = append(named, f.(string))
	}
	files, err := filepath.Glob("kubernetes/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if name := filepath.Base(path); name != "kustomization.yaml" && !slices.Contains(named, name) {
			t.Errorf("%s is applied by nobody", name)
		}
	}
	for _, name := range named {
		manifest(t, name)
	}
	is(t, k, at(t, manifest(t, "deployment.yaml"), "spec", "template", "spec", "containers", 0, "image"), "images", 0, "name")
}

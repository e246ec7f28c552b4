package config

import (
	"crypto/tls"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
)

// Check looks at the files that c names and reports what would keep the server
// from starting, as Problems. It changes nothing, and is apart from Validate so
// that a file can be judged on another machine than the one it is for.
func (c Config) Check() error {
	var out []Problem
	for _, p := range []Problem{
		c.checkCertificate(), checkSecretFile("keys.encryption_key_file", c.Keys.EncryptionKeyFile, "(umask 077; openssl rand -base64 32 > %s)"),
		c.checkKeyCommand(), c.checkStore(),
		checkSecretFile("store_password_file", c.StorePasswordFile, "(umask 077; cat > %s)"),
	} {
		if p.Text != "" {
			out = append(out, p)
		}
	}
	return asError(out)
}

func (c Config) checkCertificate() Problem {
	if c.HTTP.TLS.Certificate == "" {
		return Problem{}
	}
	if _, err := tls.LoadX509KeyPair(c.HTTP.TLS.Certificate, c.HTTP.TLS.Key); err != nil {
		return Problem{Key: "http.tls.certificate", Text: "cannot be used: " + err.Error(), Fix: "name the PEM files of a certificate and its own private key, readable by this user"}
	}
	return Problem{}
}

// checkSecretFile wants a secret closed to strangers: whoever reads the key opens
// everything that is sealed in the store. The group may read it, because that is
// how a container platform mounts a secret for a server that is not root.
func checkSecretFile(key, path, how string) Problem {
	if path == "" {
		return Problem{}
	}
	p := Problem{Key: key}
	const strangers fs.FileMode = 0o027
	switch stat, err := os.Stat(path); {
	case err != nil:
		p.Text, p.Fix = "cannot be read: "+err.Error(), "make it with: "+fmt.Sprintf(how, path)
	case !stat.Mode().IsRegular():
		p.Text, p.Fix = path+" is not a file", "name the file that holds the secret"
	case runtime.GOOS != "windows" && stat.Mode().Perm()&strangers != 0:
		p.Text, p.Fix = fmt.Sprintf("%s is open to others (mode %04o)", path, stat.Mode().Perm()), "chmod 600 "+path
	}
	return p
}

func (c Config) checkKeyCommand() Problem {
	if len(c.Keys.EncryptionKeyCommand) == 0 {
		return Problem{}
	}
	if _, err := exec.LookPath(c.Keys.EncryptionKeyCommand[0]); err != nil {
		return Problem{Key: "keys.encryption_key_command", Text: "cannot be run: " + err.Error(), Fix: "write the full path of the program"}
	}
	return Problem{}
}

// checkStore looks for the folder of a bolt store. Another engine is asked when the
// server starts, and waited for.
func (c Config) checkStore() Problem {
	dir := c.Engine().Folder()
	p := Problem{Key: "store"}
	if c.Engine().Shared() {
		return Problem{}
	}
	switch stat, err := os.Stat(dir); {
	case err != nil:
		p.Text, p.Fix = "its folder cannot be used: "+err.Error(), "make it with: mkdir -m 700 "+dir
	case !stat.IsDir():
		p.Text, p.Fix = dir+" is not a folder", "name a file in a folder that the server may write to"
	}
	return p
}

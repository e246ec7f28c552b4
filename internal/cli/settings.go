package cli

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/signet-id/signet/internal/config"
)

const (
	configVariable = "SIGNET_CONFIG"
	defaultConfig  = "signet.yaml"
)

// configFlag gives cmd and what is below it the flag --config.
func (p *program) configFlag(cmd *cobra.Command) *cobra.Command {
	cmd.PersistentFlags().StringVar(&p.configFile, "config", "",
		"the configuration file (default: $"+configVariable+", or ./"+defaultConfig+" if there is one)")
	return cmd
}

// configPath is the file to read, or "" for defaults and environment alone.
// Somebody who named a file means that file: it is not passed over when absent.
func (p *program) configPath() (string, error) {
	if p.configFile != "" {
		return p.configFile, nil
	}
	for _, variable := range p.Environ {
		if path, found := strings.CutPrefix(variable, configVariable+"="); found && path != "" {
			return path, nil
		}
	}
	_, err := os.Stat(defaultConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return defaultConfig, err
}

func (p *program) config() (config.Config, error) {
	path, err := p.configPath()
	if err != nil {
		return config.Config{}, err
	}
	cfg, err := config.Load(path, p.Environ)
	if err != nil && path == "" {
		return cfg, withHint(err, "no %s is here; name the configuration with --config, or try: signet demo", defaultConfig)
	}
	return cfg, err
}

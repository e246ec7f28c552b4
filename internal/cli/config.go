package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/signet-id/signet/internal/config"
)

func (p *program) configCommand() *cobra.Command {
	return p.configFlag(group("config", "Check the configuration and explain its keys", p.configCheck(), p.configExplain()))
}

// finding is a problem, or an advice, as JSON has it.
type finding struct {
	Source string `json:"source,omitempty"`
	Line   int    `json:"line,omitempty"`
	Key    string `json:"key,omitempty"`
	Text   string `json:"text"`
	Fix    string `json:"fix,omitempty"`
}

func (p *program) configCheck() *cobra.Command {
	return &cobra.Command{
		Use: "check", Short: "Say everything that is wrong with the configuration, at once", Args: takes(),
		RunE: func(*cobra.Command, []string) error {
			cfg, err := p.config()
			if err == nil {
				err = cfg.Check()
			}
			var problems config.Problems
			if errors.As(err, &problems) && p.json {
				return p.printFindings(problems)
			}
			if err != nil {
				return err
			}
			return p.printAdvice(cfg)
		},
	}
}

// printFindings prints problems as JSON, and fails all the same.
func (p *program) printFindings(problems config.Problems) error {
	list := make([]finding, len(problems))
	for i, at := range problems {
		list[i] = finding(at)
	}
	if err := p.print(map[string]any{"problems": list}, nil); err != nil {
		return err
	}
	return fmt.Errorf("the configuration has %d problems", len(list))
}

func (p *program) printAdvice(cfg config.Config) error {
	advice := []finding{}
	for _, n := range cfg.Advice() {
		advice = append(advice, finding{Key: n.Key, Text: n.Text})
	}
	view := map[string]any{"problems": []finding{}, "advice": advice}
	path, err := p.configPath()
	if err != nil {
		return err
	}
	if path == "" {
		path = "the environment"
	}
	return p.print(view, func(w *page) {
		w.line("The configuration is valid: %s.", path)
		for _, a := range advice {
			w.line("advice: %s: %s", a.Key, a.Text)
		}
	})
}

func (p *program) configExplain() *cobra.Command {
	return &cobra.Command{
		Use: "explain [KEY]", Short: "Explain a key of the configuration, or list them all",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch len(args) {
			case 0:
				return p.listKeys()
			case 1:
				return p.explainKey(args[0])
			}
			return usage(fmt.Sprintf("%q is one argument too many", args[1]), synopsis(cmd))
		},
	}
}

func (p *program) explainKey(key string) error {
	x, err := config.Explain(key)
	if err != nil {
		return err
	}
	return p.print(explanation(x), func(w *page) { w.line("%s", strings.TrimSuffix(x.String(), "\n")) })
}

// explanation is config.Explanation with its JSON names.
type explanation struct {
	Key     string `json:"key"`
	Doc     string `json:"doc"`
	Type    string `json:"type"`
	Allowed string `json:"allowed,omitempty"`
	Default string `json:"default"`
	Env     string `json:"environment,omitempty"`
	InFile  bool   `json:"in_file"`
	Example string `json:"example"`
}

func (p *program) listKeys() error {
	var all []explanation
	for _, key := range config.Keys() {
		x, err := config.Explain(key)
		if err != nil {
			return err
		}
		all = append(all, explanation(x))
	}
	return p.print(map[string]any{"keys": all}, func(w *page) {
		w.row("KEY", "DEFAULT", "ENVIRONMENT")
		for _, x := range all {
			w.row(x.Key, x.Default, x.Env)
		}
	})
}

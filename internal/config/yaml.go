package config

import (
	"bytes"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// YAML is the whole configuration as a file that Parse reads back, defaults
// included. A secret is left out: it is not in any file. So is a password in the
// URL of the store, and that alone is not read back.
func (c Config) YAML() ([]byte, error) {
	root := &yaml.Node{Kind: yaml.MappingNode}
	for _, e := range table() {
		if value := e.node(&c); value != nil {
			path := strings.Split(e.key, ".")
			last := len(path) - 1
			at := root
			for _, name := range path[:last] {
				at = section(at, name)
			}
			at.Content = append(at.Content, scalar(path[last]), value)
		}
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(root); err != nil {
		return nil, fmt.Errorf("writing the configuration: %w", err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("writing the configuration: %w", err)
	}
	return out.Bytes(), nil
}

// node is the key's value, or nil when there is nothing to write.
func (e entry) node(c *Config) *yaml.Node {
	field := e.field(c)
	items := texts(field)
	scopes, isMap := field.(*map[string]string)
	switch {
	case isMap && len(*scopes) > 0:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, name := range sortedKeys(*scopes) {
			n.Content = append(n.Content, scalar(name), scalar((*scopes)[name]))
		}
		return n
	case len(items) == 0:
		return nil
	case isList(field):
		n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, item := range items {
			n.Content = append(n.Content, scalar(item))
		}
		return n
	}
	if text, isText := field.(*string); isText {
		if text == &c.Store {
			return scalar(maskStore(items[0]))
		}
		return scalar(items[0])
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: items[0]}
}

// scalar is a text, quoted where YAML would read it as something else.
func scalar(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}

func section(in *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(in.Content); i += 2 {
		if in.Content[i].Value == name {
			return in.Content[i+1]
		}
	}
	child := &yaml.Node{Kind: yaml.MappingNode}
	in.Content = append(in.Content, scalar(name), child)
	return child
}

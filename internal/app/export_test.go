package app

import "slices"

// Routes lists what the composed server answers, as "METHOD pattern".
func (a *App) Routes() []string {
	var out []string
	for _, r := range a.server.Echo().Routes() {
		out = append(out, r.Method+" "+r.Path)
	}
	slices.Sort(out)
	return out
}

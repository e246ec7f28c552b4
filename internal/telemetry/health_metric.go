package telemetry

import (
	"context"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// passing tells Prometheus what each check comes to, asked anew at each scrape: a
// probe that leaves a check out takes no node away for it, so whoever watches all
// nodes has to see which of them is alone with its trouble.
type passing struct {
	health *Health
	about  *prometheus.Desc
}

func newPassing(h *Health) passing {
	return passing{h, prometheus.NewDesc("signet_check_passing", "1 while a check of /readyz passes, else 0.", []string{"check"}, nil)}
}

// Describe implements prometheus.Collector.
func (p passing) Describe(to chan<- *prometheus.Desc) { to <- p.about }

// Collect implements prometheus.Collector, which knows no contexts; the checks have
// a patience of their own.
func (p passing) Collect(to chan<- prometheus.Metric) {
	failing := p.health.NotReady(context.Background())
	for _, name := range p.health.names() {
		value := 1.0
		if slices.Contains(failing, name) {
			value = 0
		}
		to <- prometheus.MustNewConstMetric(p.about, prometheus.GaugeValue, value, name)
	}
}

package throttle

// generations is a map of bounded size that forgets what was not used lately.
// When the young generation is full it becomes the old one, and the old one is
// dropped; whatever is used moves to the young. So between size and twice size
// entries are kept, and neither use nor eviction costs more than a map access.
type generations[K comparable, V any] struct {
	size       int
	young, old map[K]V
}

func newGenerations[K comparable, V any](size int) generations[K, V] {
	return generations[K, V]{size: size, young: make(map[K]V)}
}

// peek returns the value of key, or a fresh one if there is none, and keeps
// nothing: only put counts as use.
func (g *generations[K, V]) peek(key K, fresh func() V) V {
	if v, ok := g.young[key]; ok {
		return v
	}
	if v, ok := g.old[key]; ok {
		return v
	}
	return fresh()
}

func (g *generations[K, V]) put(key K, v V) {
	if _, ok := g.young[key]; !ok && len(g.young) >= g.size {
		g.old, g.young = g.young, make(map[K]V)
	}
	g.young[key] = v
}

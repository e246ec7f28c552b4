package keys_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signet-id/signet/keys"
)

var (
	born   = time.Date(2030, time.January, 1, 0, 0, 0, 0, time.UTC)
	policy = keys.Policy{Publish: 15 * time.Minute, Lifetime: 24 * time.Hour, Linger: time.Hour, MaxAge: 10 * time.Minute}
)

func at(d time.Duration) time.Time { return born.Add(d) }

func next(id string, created, activates time.Duration) keys.Key {
	return keys.Key{ID: id, Algorithm: keys.ES256, State: keys.Next, Created: at(created), Activates: at(activates)}
}

func active(id string, since time.Duration) keys.Key {
	return keys.Key{
		ID: id, Algorithm: keys.ES256, State: keys.Active,
		Created: at(since - policy.Publish), Activates: at(since), Activated: at(since),
	}
}

func retiring(id string, retired time.Duration) keys.Key {
	k := active(id, retired-policy.Lifetime)
	k.State, k.Retired = keys.Retiring, at(retired)
	return k
}

func TestPlan(t *testing.T) {
	const minute, hour, day = time.Minute, time.Hour, 24 * time.Hour
	es := []keys.Algorithm{keys.ES256}
	for _, test := range []struct {
		name       string
		keys       []keys.Key
		algorithms []keys.Algorithm
		now        time.Duration
		want       []keys.Step
		due        time.Duration // NextDue
	}{
		{
			name: "the first key of an algorithm signs at once", algorithms: es,
			want: []keys.Step{{Action: keys.Create, Algorithm: keys.ES256, Due: born, Activates: born}},
		},
		{
			name: "an algorithm named twice gets one key", algorithms: []keys.Algorithm{keys.ES256, keys.ES256},
			want: []keys.Step{{Action: keys.Create, Algorithm: keys.ES256, Due: born, Activates: born}},
		},
		{
			name: "nothing is due in the middle of a life", algorithms: es,
			keys: []keys.Key{active("a", 0)}, now: hour, due: day - 15*minute,
		},
		{
			name: "the successor is published ahead of the end", algorithms: es,
			keys: []keys.Key{active("a", 0)}, now: day - 15*minute, due: day - 15*minute,
			want: []keys.Step{{Action: keys.Create, Algorithm: keys.ES256, Due: at(day - 15*minute), Activates: at(day)}},
		},
		{
			name: "a successor that is late is still published long enough", algorithms: es,
			keys: []keys.Key{active("a", 0)}, now: 3 * day, due: day - 15*minute,
			want: []keys.Step{{
				Action: keys.Create, Algorithm: keys.ES256, Due: at(day - 15*minute), Activates: at(3*day + 15*minute),
			}},
		},
		{
			name: "the successor waits for its time", algorithms: es,
			keys: []keys.Key{active("a", 0), next("b", day-15*minute, day)}, now: day - 1, due: day,
		},
		{
			name: "and then takes over", algorithms: es,
			keys: []keys.Key{active("a", 0), next("b", day-15*minute, day)}, now: day, due: day,
			want: []keys.Step{{Action: keys.Activate, Algorithm: keys.ES256, ID: "b", Due: at(day)}},
		},
		{
			name: "a plan made under a hastier policy waits for today's", algorithms: es,
			keys: []keys.Key{active("a", 0), next("b", day-5*minute, day)}, now: day, due: day + 10*minute,
		},
		{
			name: "a retiring key stays while its tokens live", algorithms: es,
			keys: []keys.Key{retiring("a", 0), active("b", 0)}, now: hour - 1, due: hour,
		},
		{
			name: "and then goes", algorithms: es,
			keys: []keys.Key{retiring("a", 0), active("b", 0)}, now: hour, due: hour,
			want: []keys.Step{{Action: keys.Remove, Algorithm: keys.ES256, ID: "a", Due: at(hour)}},
		},
		{
			name: "what is due longest comes first", algorithms: es,
			keys: []keys.Key{retiring("a", 0), active("b", 0)}, now: 2 * day, due: hour,
			want: []keys.Step{
				{Action: keys.Remove, Algorithm: keys.ES256, ID: "a", Due: at(hour)},
				{Action: keys.Create, Algorithm: keys.ES256, Due: at(day - 15*minute), Activates: at(2*day + 15*minute)},
			},
		},
		{
			name: "an algorithm that has keys goes on having them, named or not",
			keys: []keys.Key{active("a", 0)}, now: day, due: day - 15*minute,
			want: []keys.Step{{Action: keys.Create, Algorithm: keys.ES256, Due: at(day - 15*minute), Activates: at(day + 15*minute)}},
		},
		{
			name: "with the active key taken away the next one signs at once", algorithms: es,
			keys: []keys.Key{next("b", 0, 15*minute)}, now: minute, due: minute,
			want: []keys.Step{{Action: keys.Activate, Algorithm: keys.ES256, ID: "b", Due: at(minute)}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			now := at(test.now)
			got := keys.Plan(test.keys, test.algorithms, policy, now)
			if diff := cmp.Diff(test.want, got); diff != "" && len(test.want)+len(got) > 0 {
				t.Errorf("Plan (-want +got):\n%s", diff)
			}
			if got := keys.NextDue(test.keys, test.algorithms, policy, now); !got.Equal(at(test.due)) {
				t.Errorf("NextDue = %s, want %s", got, at(test.due))
			}
		})
	}
}

func TestAnEmptyRingOfNoAlgorithmsNeverHasAnythingToDo(t *testing.T) {
	if got := keys.Plan(nil, nil, policy, born); len(got) != 0 {
		t.Errorf("Plan = %v, want nothing", got)
	}
	if got := keys.NextDue(nil, nil, policy, born); !got.IsZero() {
		t.Errorf("NextDue = %s, want zero", got)
	}
}

// model is a ring without keys: what Plan's steps mean, in the fewest words.
type model struct {
	keys []keys.Key
	made int
}

func (m *model) carryOut(steps []keys.Step, now time.Time) {
	for _, s := range steps {
		switch s.Action {
		case keys.Create:
			m.made++
			id := fmt.Sprint(s.Algorithm, m.made)
			m.keys = append(m.keys, keys.Key{
				ID: id, Algorithm: s.Algorithm, State: keys.Next, Created: now, Activates: s.Activates,
			})
			if !s.Activates.After(now) {
				m.activate(id, s.Algorithm, now)
			}
		case keys.Activate:
			m.activate(s.ID, s.Algorithm, now)
		case keys.Remove:
			m.keys = slices.DeleteFunc(m.keys, func(k keys.Key) bool { return k.ID == s.ID })
		}
	}
}

func (m *model) activate(id string, alg keys.Algorithm, now time.Time) {
	for i := range m.keys {
		k := &m.keys[i]
		switch {
		case k.ID == id:
			k.State, k.Activated = keys.Active, now
		case k.Algorithm == alg && k.State == keys.Active:
			k.State, k.Retired = keys.Retiring, now
		}
	}
}

// TestPlanKeepsItsPromises drives random policies through random wakings: on
// time, early, or after an outage of any length.
func TestPlanKeepsItsPromises(t *testing.T) {
	for seed := range uint64(400) {
		dice := rand.New(rand.NewPCG(seed, 1))
		p := keys.Policy{MaxAge: time.Duration(1 + dice.Int64N(int64(time.Hour)))}
		p.Publish = p.MaxAge + time.Duration(1+dice.Int64N(int64(time.Hour)))
		p.Lifetime = p.Publish + time.Duration(1+dice.Int64N(int64(48*time.Hour)))
		p.Linger = time.Duration(1 + dice.Int64N(int64(96*time.Hour)))
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		drive(t, dice, p)
		if t.Failed() {
			t.Fatalf("with seed %d, policy %+v", seed, p)
		}
	}
}

func drive(t *testing.T, dice *rand.Rand, p keys.Policy) {
	t.Helper()
	algorithms := keys.Algorithms()[:1+dice.IntN(3)]
	var m model
	now := born
	for range 60 {
		before := slices.Clone(m.keys)
		m.carryOut(keys.Plan(m.keys, algorithms, p, now), now)
		checkPromises(t, before, m.keys, p, now)
		for _, alg := range algorithms {
			if n := count(m.keys, alg, keys.Active); n != 1 {
				t.Errorf("%d active keys of %s, want 1", n, alg)
			}
		}
		if again := keys.Plan(m.keys, algorithms, p, now); len(again) != 0 {
			t.Errorf("Plan has more to do in the same moment: %v", again)
		}
		due := keys.NextDue(m.keys, algorithms, p, now)
		if !due.After(now) {
			t.Errorf("NextDue = %s, not after %s", due, now)
		}
		if early := keys.Plan(m.keys, algorithms, p, due.Add(-1)); len(early) != 0 {
			t.Errorf("Plan has something to do before NextDue: %v", early)
		}
		if len(keys.Plan(m.keys, algorithms, p, due)) == 0 {
			t.Error("Plan has nothing to do at NextDue")
		}
		switch dice.IntN(3) {
		case 0:
			now = due
		case 1: // woken for nothing
			now = now.Add(1 + time.Duration(dice.Int64N(int64(due.Sub(now)))))
		default: // the process was down
			now = due.Add(time.Duration(dice.Int64N(int64(2 * p.Lifetime))))
		}
	}
}

// checkPromises compares the ring before and after one waking.
func checkPromises(t *testing.T, before, after []keys.Key, p keys.Policy, now time.Time) {
	t.Helper()
	for _, k := range after {
		old := slices.IndexFunc(before, func(o keys.Key) bool { return o.ID == k.ID })
		first := old < 0 && count(before, k.Algorithm, keys.Active) == 0
		if k.State == keys.Active && k.Activated.Equal(now) && !first && now.Sub(k.Created) < p.Publish {
			t.Errorf("key %s signs after %s in the JWKS, want %s", k.ID, now.Sub(k.Created), p.Publish)
		}
	}
	for _, k := range before {
		gone := !slices.ContainsFunc(after, func(o keys.Key) bool { return o.ID == k.ID })
		if gone && (k.State != keys.Retiring || now.Sub(k.Retired) < p.Linger) {
			t.Errorf("key %s (%s) went %s after its last signature, want %s", k.ID, k.State, now.Sub(k.Retired), p.Linger)
		}
		if !gone && k.State == keys.Retiring && now.Sub(k.Retired) >= p.Linger {
			t.Errorf("key %s is still there %s after its last signature", k.ID, now.Sub(k.Retired))
		}
	}
}

func count(list []keys.Key, alg keys.Algorithm, state keys.State) (n int) {
	for _, k := range list {
		if k.Algorithm == alg && k.State == state {
			n++
		}
	}
	return n
}

func TestAPolicyThatWouldBreakVerifiersIsRefused(t *testing.T) {
	for name, p := range map[string]keys.Policy{
		"zero":                    {},
		"cache as long as notice": {MaxAge: time.Hour, Publish: time.Hour, Lifetime: 24 * time.Hour, Linger: time.Hour},
		"notice as long as life":  {MaxAge: time.Minute, Publish: time.Hour, Lifetime: time.Hour, Linger: time.Hour},
		"no linger":               {MaxAge: time.Minute, Publish: time.Hour, Lifetime: 24 * time.Hour},
		"no cache":                {Publish: time.Hour, Lifetime: 24 * time.Hour, Linger: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			if err := p.Validate(); err == nil {
				t.Error("Validate = nil")
			}
			if _, err := keys.Open(t.Context(), &memory{}, sealerOf(t, 1), p, nil); err == nil {
				t.Error("Open = nil")
			}
		})
	}
	if err := keys.DefaultPolicy().Validate(); err != nil {
		t.Errorf("the default policy: %v", err)
	}
}

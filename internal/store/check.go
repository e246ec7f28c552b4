package store

import "github.com/signet-id/signet/internal/fault"

// Check judges the ops of one Commit against the limits of the contract. Every
// engine calls it first, so that what one refuses all refuse, and nothing that
// is malformed reaches a disk or a network.
func Check(ops ...Op) error {
	if len(ops) == 0 || len(ops) > MaxOps {
		return fault.New(fault.Invalid, "a commit has 1 to %d changes, not %d", MaxOps, len(ops))
	}
	size := 0
	seen := make(map[string]struct{}, len(ops))
	for i := range ops {
		op := &ops[i]
		if err := checkKey(op.Key); err != nil {
			return err
		}
		if len(op.Value) > MaxValue {
			return fault.New(fault.Invalid, "a value has at most %d bytes, that of %q has %d", MaxValue, op.Key, len(op.Value))
		}
		if _, twice := seen[op.Key]; twice {
			return fault.Wrap(fault.Invalid, ErrDuplicateKey, "a commit names %q twice", op.Key)
		}
		seen[op.Key] = struct{}{}
		size += len(op.Key) + len(op.Value)
	}
	if size > MaxCommit {
		return fault.New(fault.Invalid, "a commit has at most %d bytes of keys and values, not %d", MaxCommit, size)
	}
	return nil
}

// CheckKeys judges the keys of one Get.
func CheckKeys(keys ...string) error {
	if len(keys) > MaxGet {
		return fault.New(fault.Invalid, "one read has at most %d keys, not %d", MaxGet, len(keys))
	}
	for _, key := range keys {
		if err := checkKey(key); err != nil {
			return err
		}
	}
	return nil
}

// CheckList judges the arguments of one List.
func CheckList(prefix, after string, limit int) error {
	if limit < 1 || limit > MaxList {
		return fault.New(fault.Invalid, "a list has a limit of 1 to %d, not %d", MaxList, limit)
	}
	if len(after) > MaxKey {
		return fault.New(fault.Invalid, "a key has at most %d bytes, not %d", MaxKey, len(after))
	}
	return CheckPrefix(prefix)
}

// CheckPrefix judges the prefix of a List or a Watch; the empty one means all.
func CheckPrefix(prefix string) error {
	if len(prefix) > MaxKey {
		return fault.New(fault.Invalid, "a prefix has at most %d bytes, not %d", MaxKey, len(prefix))
	}
	return nil
}

func checkKey(key string) error {
	if key == "" || len(key) > MaxKey {
		return fault.New(fault.Invalid, "a key has 1 to %d bytes, not %d", MaxKey, len(key))
	}
	return nil
}

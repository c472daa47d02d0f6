package metrics

// The results of a look-up of an account.
const (
	lookUpOK      = "ok"
	lookUpMissing = "missing"
	lookUpFailed  = "failed"
)

func (m *Metrics) addDependencies() {
	m.operations = newFamily(m.counters("firestore_operations_total",
		"Documents read, written and deleted in Firestore, as it bills them.", "operation"), word, "read", "write", "delete")
	m.lookUps = newFamily(m.counters("identity_lookups_total",
		"Accounts that Firebase Authentication was asked about, by what came of it.", "result"), word, lookUpOK, lookUpMissing, lookUpFailed)
}

// Operations implements the meter of the Firestore store: n documents were read, written or deleted.
func (m *Metrics) Operations(op string, n int) { m.operations.of(op).Add(float64(max(n, 0))) }

// LookedUp implements the meter of Firebase Authentication.
func (m *Metrics) LookedUp(found, missing, failed int) {
	m.lookUps.of(lookUpOK).Add(float64(found))
	m.lookUps.of(lookUpMissing).Add(float64(missing))
	m.lookUps.of(lookUpFailed).Add(float64(failed))
}

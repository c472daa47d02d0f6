package metrics

// The results of a look-up of an account.
const (
	lookUpOK      = "ok"
	lookUpMissing = "missing"
	lookUpFailed  = "failed"
)

// The results of a renewal of Google's keys.
const (
	renewalOK     = "ok"
	renewalFailed = "failed"
)

func (m *Metrics) addDependencies() {
	m.operations = newFamily(m.counters("firestore_operations_total",
		"Documents read, written and deleted in Firestore, as it bills them.", "operation"), word, "read", "write", "delete")
	m.lookUps = newFamily(m.counters("identity_lookups_total",
		"Accounts that Firebase Authentication was asked about, by what came of it.", "result"), word, lookUpOK, lookUpMissing, lookUpFailed)
	m.renewals = newFamily(m.counters("identity_key_renewals_total",
		"Renewals of the keys that tokens are verified with, ahead of their expiry, by what came of them.", "result"), word, renewalOK, renewalFailed)
}

// Operations implements the meter of the Firestore store: n documents were read, written or deleted.
func (m *Metrics) Operations(op string, n int) { m.operations.of(op).Add(float64(max(n, 0))) }

// LookedUp implements the meter of Firebase Authentication.
func (m *Metrics) LookedUp(found, missing, failed int) {
	m.lookUps.of(lookUpOK).Add(float64(found))
	m.lookUps.of(lookUpMissing).Add(float64(missing))
	m.lookUps.of(lookUpFailed).Add(float64(failed))
}

// KeysRenewed implements the meter of Firebase Authentication.
func (m *Metrics) KeysRenewed(ok bool) {
	if ok {
		m.renewals.of(renewalOK).Inc()
	} else {
		m.renewals.of(renewalFailed).Inc()
	}
}

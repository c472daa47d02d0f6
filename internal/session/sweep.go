package session

import "time"

// SweepReport says what a clean-up has done.
type SweepReport struct {
	Expired int `json:"expired"` // sessions ended that time had ended
	Purged  int `json:"purged"`  // ended sessions deleted after the retention
	Limited int `json:"limited"` // sessions ended to keep the limit
}

// Census is what a clean-up has counted.
type Census struct {
	ActiveSessions int            `json:"activeSessions"`
	Users          int            `json:"users"` // with active sessions
	ByDeviceType   map[string]int `json:"byDeviceType"`
	ByCountry      map[string]int `json:"byCountry"` // without those whose country is unknown
	Zombies        int            `json:"zombies"`   // found past their deadline and not ended: nobody had looked
	CountedAt      time.Time      `json:"countedAt"` // zero: never
}

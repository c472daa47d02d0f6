package identity

import "strconv"

const (
	defaultPageSize = 20
	maxPageSize     = 1000
	maxBatchDelete  = 1000
)

func (s *Server) accountOf(uid string) (*account, error) {
	if uid == "" {
		return nil, missingLocalID
	}
	a := s.directory.byUID[uid]
	if a == nil {
		return nil, userNotFound
	}
	return a, nil
}

type deleteRequest struct {
	tenantField
	IDToken string `json:"idToken"`
	LocalID string `json:"localId"`
}

func (s *Server) delete(c call, request deleteRequest) (any, error) {
	a, err := s.deletable(c, request)
	if err != nil {
		return nil, err
	}
	s.directory.remove(a)
	return map[string]string{"kind": "identitytoolkit#DeleteAccountResponse"}, nil
}

// deletable is any account for an administrator, and for a client its own
// after a recent sign-in.
func (s *Server) deletable(c call, request deleteRequest) (*account, error) {
	if c.admin {
		return s.accountOf(request.LocalID)
	}
	a, token, err := s.bearer(request.IDToken, c.now)
	if err != nil {
		return nil, err
	}
	if !token.recent(c.now) {
		return nil, credentialTooOld
	}
	return a, nil
}

type batchDeleteRequest struct {
	tenantField
	LocalIDs []string `json:"localIds"`
	Force    bool     `json:"force"`
}

type batchDeleteError struct {
	Index   int    `json:"index"`
	LocalID string `json:"localId"`
	Message string `json:"message"`
}

type batchDeleteAnswer struct {
	Errors []batchDeleteError `json:"errors,omitempty"`
}

// batchDelete counts an account that does not exist as deleted, and without
// force deletes only disabled ones, as production does.
func (s *Server) batchDelete(_ call, request batchDeleteRequest) (any, error) {
	if n := len(request.LocalIDs); n == 0 || n > maxBatchDelete {
		return nil, tooManyLocalIDs
	}
	var answer batchDeleteAnswer
	for i, uid := range request.LocalIDs {
		a := s.directory.byUID[uid]
		switch {
		case a == nil:
		case a.disabled || request.Force:
			s.directory.remove(a)
		default:
			answer.Errors = append(answer.Errors, batchDeleteError{
				Index: i, LocalID: uid, Message: "NOT_DISABLED : Disable the account before batch deletion.",
			})
		}
	}
	return answer, nil
}

type batchGetAnswer struct {
	Kind          string     `json:"kind"`
	Users         []userInfo `json:"users,omitempty"`
	NextPageToken string     `json:"nextPageToken,omitempty"`
}

// batchGet lists accounts in the order of their uids. A page token is the last
// uid of the page before, so that a list survives creation and deletion.
func (s *Server) batchGet(c call, _ struct{}) (any, error) {
	size := defaultPageSize
	if text := c.query.Get("maxResults"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxPageSize {
			return nil, invalidPageSize
		}
		size = n
	}
	accounts, more := s.directory.page(c.query.Get("nextPageToken"), size)
	answer := batchGetAnswer{Kind: "identitytoolkit#DownloadAccountResponse"}
	for _, a := range accounts {
		answer.Users = append(answer.Users, userInfoFor(a))
	}
	if more {
		answer.NextPageToken = accounts[len(accounts)-1].uid
	}
	return answer, nil
}

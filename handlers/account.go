package handlers

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/vigilhq/vigil/internal/session"
)

const pathAccount = "/v1/account"

func (a *api) accountRoutes() []route {
	return []route{
		{
			method: http.MethodPut, path: pathAccount + "/email", access: a.sensitive(a.changeEmail),
			name: "changeEmail", summary: "Change the address of the account, and end the user's other sessions", body: emailBody{},
			answers: []answer{{http.StatusNoContent, "It is changed. Firebase has ended all refresh tokens: sign in again.", nil, nil}},
			codes:   []session.Code{session.CodeNotFound},
		},
		{
			method: http.MethodPut, path: pathAccount + "/password", access: a.sensitive(a.changePassword),
			name: "changePassword", summary: "Change the password of the account, and end the user's other sessions", body: passwordBody{},
			answers: []answer{{http.StatusNoContent, "It is changed. Firebase has ended all refresh tokens: sign in again.", nil, nil}},
			codes:   []session.Code{session.CodeNotFound},
		},
		{
			method: http.MethodDelete, path: pathAccount, access: a.sensitive(a.deleteAccount),
			name: "deleteAccount", summary: "Delete the account, end everything, and strip personal data from what the audit keeps",
			answers: []answer{{http.StatusNoContent, "It is gone.", nil, nil}},
		},
	}
}

// The most that Firebase takes, in characters.
const (
	maxEmail    = 254
	maxPassword = 4096
)

type emailBody struct {
	Email string `json:"email" maxLength:"254"`
}

type passwordBody struct {
	Password string `json:"password" format:"password" maxLength:"4096"`
}

func (a *api) changeEmail(c echo.Context, caller session.Admission) error {
	in, err := bodyOf[emailBody](c)
	if err == nil {
		err = in.check()
	}
	if err != nil {
		return err
	}
	if err := a.Registry.ChangeEmail(contextOf(c), caller, in.Email); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// check trims the address and says what is wrong with it.
func (in *emailBody) check() error {
	var f faults
	if in.Email = f.text("email", in.Email, maxEmail); in.Email == "" {
		f.add("email", msgRequired)
	}
	return f.err()
}

func (a *api) changePassword(c echo.Context, caller session.Admission) error {
	in, err := bodyOf[passwordBody](c)
	if err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	if err := a.Registry.ChangePassword(contextOf(c), caller, in.Password); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// check says what is wrong with a password, which is taken as it is: whoever chose it will type it so.
func (in passwordBody) check() error {
	var f faults
	switch {
	case in.Password == "":
		f.add("password", msgRequired)
	case utf8.RuneCountInString(in.Password) > maxPassword:
		f.add("password", msgLong, maxPassword)
	case strings.ContainsRune(in.Password, utf8.RuneError): // put there in place of half a character: nobody could type it again
		f.add("password", msgUnicode)
	}
	return f.err()
}

func (a *api) deleteAccount(c echo.Context, caller session.Admission) error {
	if err := a.Registry.DeleteAccount(contextOf(c), caller); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

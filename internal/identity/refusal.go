package identity

// refusal is an error in Google's own words, which the SDKs match on. Text
// after " : " is for people.
type refusal string

func (r refusal) Error() string { return string(r) }

const (
	claimsTooLarge      refusal = "CLAIMS_TOO_LARGE"
	credentialMismatch  refusal = "CREDENTIAL_MISMATCH"
	credentialTooOld    refusal = "CREDENTIAL_TOO_OLD_LOGIN_AGAIN"
	duplicateLocalID    refusal = "DUPLICATE_LOCAL_ID"
	emailExists         refusal = "EMAIL_EXISTS"
	forbiddenClaim      refusal = "FORBIDDEN_CLAIM"
	insufficientRights  refusal = "INSUFFICIENT_PERMISSION"
	invalidClaims       refusal = "INVALID_CLAIMS"
	invalidCredentials  refusal = "INVALID_LOGIN_CREDENTIALS"
	invalidCustomToken  refusal = "INVALID_CUSTOM_TOKEN"
	invalidEmail        refusal = "INVALID_EMAIL"
	invalidGrantType    refusal = "INVALID_GRANT_TYPE"
	invalidIDToken      refusal = "INVALID_ID_TOKEN"
	invalidIdentifier   refusal = "INVALID_IDENTIFIER"
	invalidLocalID      refusal = "INVALID_LOCAL_ID : A uid has 1 to 128 characters"
	invalidPageSize     refusal = "INVALID_PAGE_SELECTION"
	invalidPhone        refusal = "INVALID_PHONE_NUMBER : Invalid format."
	invalidRefreshToken refusal = "INVALID_REFRESH_TOKEN"
	invalidRequest      refusal = "INVALID_REQ_TYPE : Unsupported request parameters."
	missingCustomToken  refusal = "MISSING_CUSTOM_TOKEN"
	missingEmail        refusal = "MISSING_EMAIL"
	missingGrantType    refusal = "MISSING_GRANT_TYPE"
	missingIDToken      refusal = "MISSING_ID_TOKEN"
	missingIdentifier   refusal = "MISSING_IDENTIFIER"
	missingLocalID      refusal = "MISSING_LOCAL_ID"
	missingPassword     refusal = "MISSING_PASSWORD"
	missingRefreshToken refusal = "MISSING_REFRESH_TOKEN"
	notAllowed          refusal = "OPERATION_NOT_ALLOWED"
	phoneExists         refusal = "PHONE_NUMBER_EXISTS"
	tenantsUnsupported  refusal = "UNSUPPORTED_TENANT_OPERATION"
	tokenExpired        refusal = "TOKEN_EXPIRED"
	tooManyLocalIDs     refusal = "LOCAL_ID_LIST_EXCEEDS_LIMIT"
	unexpectedLocalID   refusal = "UNEXPECTED_PARAMETER : User ID"
	userDisabled        refusal = "USER_DISABLED"
	userNotFound        refusal = "USER_NOT_FOUND"
	weakPassword        refusal = "WEAK_PASSWORD : Password should be at least 6 characters"
)

// because adds an explanation where the SDKs look for one.
func (r refusal) because(text string) refusal { return r + " : " + refusal(text) }

package refusal

// The reasons. What each one means, and what to do about it, is in the manual.
const (
	ACRUnavailable           Reason = "acr_unavailable"
	AudienceForeign          Reason = "audience_foreign"
	ChallengeMalformed       Reason = "challenge_malformed"
	ChallengeMethod          Reason = "challenge_method"
	ChallengeMissing         Reason = "challenge_missing"
	ClaimsContradict         Reason = "claims_contradict"
	ClientAuthentication     Reason = "client_authentication"
	ClientAuthenticatedTwice Reason = "client_authenticated_twice"
	ClientDisabled           Reason = "client_disabled"
	ClientMissing            Reason = "client_missing"
	ClientUnknown            Reason = "client_unknown"
	ConsentRequired          Reason = "consent_required"
	FormExpected             Reason = "form_expected"
	GrantEnded               Reason = "grant_ended"
	GrantInvalid             Reason = "grant_invalid"
	GrantNotRegistered       Reason = "grant_not_registered"
	GrantTypeMissing         Reason = "grant_type_missing"
	GrantTypeUnsupported     Reason = "grant_type_unsupported"
	IntrospectionNotAllowed  Reason = "introspection_not_allowed"
	LoginRequired            Reason = "login_required"
	MaxAgeMalformed          Reason = "max_age_malformed"
	ParameterDuplicated      Reason = "parameter_duplicated"
	ParameterMissing         Reason = "parameter_missing"
	ParameterTooLong         Reason = "parameter_too_long"
	PersonDeclined           Reason = "person_declined"
	PromptCombined           Reason = "prompt_combined"
	PromptUnknown            Reason = "prompt_unknown"
	RedirectURIUnregistered  Reason = "redirect_uri_unregistered"
	RefreshTokenReused       Reason = "refresh_token_reused"
	RegistrationUnsupported  Reason = "registration_unsupported"
	RequestInvalid           Reason = "request_invalid"
	RequestObjectUnsupported Reason = "request_object_unsupported"
	RequestURIUnsupported    Reason = "request_uri_unsupported"
	ResourceMalformed        Reason = "resource_malformed"
	ResponseModeUnknown      Reason = "response_mode_unknown"
	ResponseTypeUnsupported  Reason = "response_type_unsupported"
	ScopeInvalid             Reason = "scope_invalid"
	ServerError              Reason = "server_error"
	TryAgain                 Reason = "try_again"
)

// codes is the one table from reasons to the RFCs' error codes.
func codes() map[Reason]string {
	return map[Reason]string{
		ACRUnavailable:           "unmet_authentication_requirements",
		AudienceForeign:          "invalid_target",
		ChallengeMalformed:       "invalid_request",
		ChallengeMethod:          "invalid_request",
		ChallengeMissing:         "invalid_request",
		ClaimsContradict:         "invalid_request",
		ClientAuthentication:     "invalid_client",
		ClientAuthenticatedTwice: "invalid_request",
		ClientDisabled:           "unauthorized_client",
		ClientMissing:            "invalid_client",
		ClientUnknown:            "invalid_request",
		ConsentRequired:          "consent_required",
		FormExpected:             "invalid_request",
		GrantEnded:               "invalid_grant",
		GrantInvalid:             "invalid_grant",
		GrantNotRegistered:       "unauthorized_client",
		GrantTypeMissing:         "invalid_request",
		GrantTypeUnsupported:     "unsupported_grant_type",
		IntrospectionNotAllowed:  "unauthorized_client",
		LoginRequired:            "login_required",
		MaxAgeMalformed:          "invalid_request",
		ParameterDuplicated:      "invalid_request",
		ParameterMissing:         "invalid_request",
		ParameterTooLong:         "invalid_request",
		PersonDeclined:           "access_denied",
		PromptCombined:           "invalid_request",
		PromptUnknown:            "invalid_request",
		RedirectURIUnregistered:  "invalid_request",
		RefreshTokenReused:       "invalid_grant",
		RegistrationUnsupported:  "registration_not_supported",
		RequestInvalid:           "invalid_request",
		RequestObjectUnsupported: "request_not_supported",
		RequestURIUnsupported:    "request_uri_not_supported",
		ResourceMalformed:        "invalid_target",
		ResponseModeUnknown:      "invalid_request",
		ResponseTypeUnsupported:  "unsupported_response_type",
		ScopeInvalid:             "invalid_scope",
		ServerError:              "server_error",
		TryAgain:                 "temporarily_unavailable",
	}
}

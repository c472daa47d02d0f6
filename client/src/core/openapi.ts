// Written by `npm run types` from what `vigil openapi` prints.

export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        Alert: {
            country?: string;
            device?: string;
            deviceTypes?: string[];
            distanceKm?: number;
            ipAddress?: string;
            previousCountry?: string;
            previousIpAddress?: string;
            sessionId: string;
            sessions?: number;
            speedKmh?: number;
            type: components["schemas"]["AlertType"];
        };
        /** @enum {string} */
        AlertType: "too_many_sessions" | "device_mix" | "new_device" | "new_country" | "impossible_travel" | "ip_changed";
        /** @enum {string} */
        Audience: "user" | "admin";
        Check: {
            error?: string;
            ok: boolean;
        };
        /** @enum {string} */
        Code: "forbidden" | "internal" | "invalid_request" | "ip_changed" | "method_not_allowed" | "misdirected" | "not_found" | "rate_limited" | "reauth_required" | "session_ended" | "session_limit" | "session_required" | "token_expired" | "token_invalid" | "token_missing" | "token_revoked" | "too_large" | "unavailable" | "user_disabled";
        Deadlines: {
            expiresAt: components["schemas"]["Timestamp"];
            idleDeadline: components["schemas"]["Timestamp"];
            lastActive: components["schemas"]["Timestamp"];
            warnAt: components["schemas"]["Timestamp"];
        };
        Device: {
            browser: string;
            /** @description given by its user */
            name: null | string;
            os: string;
            /** @enum {string} */
            type: "desktop" | "mobile" | "tablet" | "bot" | "other";
        };
        DeviceHint: {
            os?: string;
            /** @enum {string} */
            type?: "desktop" | "mobile" | "tablet" | "bot" | "other";
        };
        EmailBody: {
            email: string;
        };
        Ended: {
            ended: number;
        };
        Event: {
            /** @description who did it: a user id, system or, where no user id says which, admin; admins also see cli */
            actor: null | string;
            at: components["schemas"]["Timestamp"];
            /** @description who may read it, said to admins only */
            audience?: components["schemas"]["Audience"];
            /** @description what there is to know about it, by names of the type's own */
            details: {
                [key: string]: string;
            };
            id: string;
            /** @description the actor's */
            ipAddress: null | string;
            /** @description which session it is about */
            sessionId: null | string;
            type: components["schemas"]["EventType"];
            /** @description whom it is about */
            userId: null | string;
        };
        EventList: {
            events: components["schemas"]["Event"][];
            /** @description absent after the last page */
            nextPageToken?: string;
        };
        /** @enum {string} */
        EventType: "session_started" | "session_ended" | "session_refused" | "security_alert" | "network_learned" | "reauth_refused" | "admin_refused" | "email_changed" | "password_changed" | "account_deleted" | "user_revoked" | "user_disabled" | "user_enabled" | "claims_changed" | "mass_revocation" | "mass_revoked" | "sweep_requested" | "limits_configured";
        Fault: {
            /** @description body, query or the name of a header where no single field is at fault */
            field: string;
            /** @description for people, in the language of the answer */
            message: string;
        };
        Filter: {
            /**
             * Format: date-time
             * @description without activity since
             */
            activeBefore?: string;
            /** @description where they began, ISO 3166-1 alpha-2 */
            country?: string;
            /** @enum {string} */
            deviceType?: "desktop" | "mobile" | "tablet" | "bot" | "other";
            /** @description the address that they began from */
            ip?: string;
            /**
             * @description only live sessions can end
             * @enum {string}
             */
            status?: "active";
            userId?: string;
        };
        /** @enum {string} */
        JobState: "running" | "done" | "failed";
        Liveness: {
            /** @enum {string} */
            status: "ok";
        };
        Location: {
            city: string;
            /** @description ISO 3166-1 alpha-2 */
            country: string;
            region: string;
        };
        LogoutBody: {
            /** @description end all of the user's sessions */
            allSessions?: boolean;
        };
        ManyBody: {
            /** @description every session */
            all?: boolean;
            /** @description end nothing, and say what would end */
            dryRun?: boolean;
            /** @description which sessions; either this or all */
            filter?: components["schemas"]["Filter"];
            /** @description a note for the audit */
            reason?: string;
        };
        NoteBody: {
            /** @description a note for the audit */
            reason?: string;
        };
        PasswordBody: {
            /** Format: password */
            password: string;
        };
        Problem: {
            code: components["schemas"]["Code"];
            /** @description for people, in the language of the answer */
            detail: string;
            endedAt?: components["schemas"]["Timestamp"];
            /** @description each field that is wrong */
            errors?: components["schemas"]["Fault"][];
            /** @description seconds that a sign-in may be old */
            maxAge?: number;
            /** @description why the session ended */
            reason?: components["schemas"]["Reason"];
            requestId: string;
            status: number;
            /** @description for people, in the language of the answer */
            title: string;
            /**
             * Format: uri
             * @description urn:vigil:problem: and the code
             */
            type: string;
        };
        Readiness: {
            checks: {
                [key: string]: components["schemas"]["Check"];
            };
            /** @enum {string} */
            status: "ready" | "unavailable";
        };
        /** @enum {string} */
        Reason: "logout" | "revoked" | "admin_revoked" | "tokens_revoked" | "idle_timeout" | "absolute_timeout" | "session_limit" | "ip_changed" | "user_disabled" | "user_deleted" | "credentials_changed" | "replaced";
        Registration: {
            /** @description what is unusual about the sign-in */
            alerts: components["schemas"]["Alert"][];
            /** @description ids of the sessions that made room */
            evicted: string[];
            session: components["schemas"]["Session"];
        };
        Revocation: {
            ended: number;
            revokedAt: components["schemas"]["Timestamp"];
        };
        RevocationPreview: {
            matched: number;
            /** @description some of them */
            sample: components["schemas"]["Session"][];
        };
        RevocationProgress: {
            /** @description how many it has ended */
            ended: number;
            id: string;
            /** @description how many there were when it was asked for */
            matched: number;
            state: components["schemas"]["JobState"];
        };
        RevocationStarted: {
            id: string;
            /** @description how many there are now */
            matched: number;
        };
        Session: {
            authTime: components["schemas"]["Timestamp"];
            createdAt: components["schemas"]["Timestamp"];
            /** @description the session that the request comes with */
            current: boolean;
            device: components["schemas"]["Device"];
            endedAt: components["schemas"]["Timestamp"] | null;
            /** @description a user id, admin or system */
            endedBy: null | string;
            endReason: components["schemas"]["Reason"] | null;
            /** @description when it ends whatever its user does */
            expiresAt: components["schemas"]["Timestamp"];
            id: string;
            /** @description when it ends unless its user does something before */
            idleDeadline: components["schemas"]["Timestamp"];
            ipAddress: string;
            lastActive: components["schemas"]["Timestamp"];
            /** @description where it began; null when unknown */
            location: components["schemas"]["Location"] | null;
            signInProvider: string;
            status: components["schemas"]["Status"];
            userAgent: string;
            userId: string;
            /** @description when its user is warned */
            warnAt: components["schemas"]["Timestamp"];
        };
        SessionList: {
            sessions: components["schemas"]["Session"][];
        };
        SessionPage: {
            /** @description absent after the last page */
            nextPageToken?: string;
            sessions: components["schemas"]["Session"][];
        };
        SignIn: {
            /** @description what the client knows better than its user agent; for display only */
            device?: components["schemas"]["DeviceHint"];
            /** @description what the user calls the device */
            deviceName?: string;
            /** @description the device's previous session, which ends */
            replaces?: string;
        };
        Statistics: {
            activeSessions: number;
            /** @description without those whose country is unknown */
            byCountry: {
                [key: string]: number;
            };
            byDeviceType: {
                [key: string]: number;
            };
            /** @description by the last clean-up; null before the first */
            countedAt: components["schemas"]["Timestamp"] | null;
            /** @description of this instance */
            sockets: number;
            /** @description with active sessions */
            users: number;
        };
        /** @enum {string} */
        Status: "active" | "ended";
        SweepReport: {
            expired: number;
            limited: number;
            purged: number;
        };
        /** Format: date-time */
        Timestamp: string;
        Token: {
            /** @description of the sign-in, Unix seconds */
            authTime: number;
            /** @description all of the token's */
            claims: {
                [key: string]: unknown;
            };
            /** @description Unix seconds */
            expiresAt: number;
            /** @description Unix seconds */
            issuedAt: number;
            /** @description how recent, in seconds */
            reauthMaxAge: number;
            /** @description the sign-in is recent enough for sensitive operations */
            recentAuth: boolean;
            signInProvider: string;
            userId: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;

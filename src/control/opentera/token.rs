//! JSON Web Tokens as OpenTera uses them: HS256, the key's bytes as they stand in Redis.

use std::sync::Once;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{self, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ring::hmac;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct ServiceClaims<'a> {
    iat: u64,
    service_uuid: &'a str,
}

/// The service's own token. `now` in whole seconds since 1970: the server refuses a token from the
/// future, be it by a second.
pub fn of_service(key: &[u8], service_uuid: &str, now: u64) -> String {
    install();
    let claims = ServiceClaims { iat: now, service_uuid };
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(key))
        .expect("HS256 signs with any key")
}

/// Claims that are looked at; each kind of token has its own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Claims {
    /// In a user's token.
    pub user_uuid: Option<String>,
    /// In a participant's.
    pub participant_uuid: Option<String>,
    /// In a device's.
    pub device_uuid: Option<String>,
}

/// The claims of a token that this key signed and that, if it has an end, has not ended; `lasting`:
/// it need not have one.
pub fn read(token: &str, key: &[u8], lasting: bool) -> Option<Claims> {
    decoded(token, key, lasting)
}

fn decoded<T: DeserializeOwned + Clone>(token: &str, key: &[u8], lasting: bool) -> Option<T> {
    install();
    let mut validation = Validation::new(Algorithm::HS256);
    validation.leeway = 0;
    validation.validate_aud = false;
    if lasting {
        validation.required_spec_claims.clear();
    }
    jsonwebtoken::decode(token, &DecodingKey::from_secret(key), &validation).ok().map(|token| token.claims)
}

/// HMAC-SHA-256 by the library that does our TLS too; no other algorithm is known.
struct Hmac(hmac::Key);

fn install() {
    static ONCE: Once = Once::new();
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| Ok(Box::new(Hmac::new(algorithm, key.as_bytes())?)),
        verifier_factory: |algorithm, key| Ok(Box::new(Hmac::new(algorithm, key.try_get_as_bytes()?)?)),
        key_utils: KeyUtils::new_unimplemented(),
    };
    ONCE.call_once(|| {
        // Somebody else's provider, if there is one, does HS256 too.
        let _ = PROVIDER.install_default();
    });
}

impl Hmac {
    fn new(algorithm: &Algorithm, key: &[u8]) -> Result<Self> {
        match algorithm {
            Algorithm::HS256 => Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, key))),
            _ => Err(ErrorKind::InvalidAlgorithm.into()),
        }
    }
}

impl Signer<Vec<u8>> for Hmac {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, signature::Error> {
        Ok(hmac::sign(&self.0, message).as_ref().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hmac {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), signature::Error> {
        hmac::verify(&self.0, message, signature).map_err(|_| signature::Error::new())
    }
}

impl JwtSigner for Hmac {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hmac {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn recorded_tokens_are_judged_and_made_as_recorded() {
        let recorded: Value = serde_json::from_str(include_str!("../../../tests/vectors/opentera/jwt.json")).unwrap();
        for vector in recorded["vectors"].as_array().unwrap() {
            let (key, token) = (vector["key"].as_str().unwrap().as_bytes(), vector["token"].as_str().unwrap());
            let claims = decoded::<Value>(token, key, true);
            assert_eq!(claims.is_some(), vector["valid"].as_bool().unwrap(), "{}", vector["name"]);
            if let Some(claims) = claims {
                assert_eq!(claims, vector["claims"], "{}", vector["name"]);
            }
        }
        let made = &recorded["vectors"][0];
        let claims = &made["claims"];
        let token = of_service(
            made["key"].as_str().unwrap().as_bytes(),
            claims["service_uuid"].as_str().unwrap(),
            claims["iat"].as_u64().unwrap(),
        );
        let key = made["key"].as_str().unwrap().as_bytes();
        assert_eq!(decoded::<Value>(&token, key, true), decoded(made["token"].as_str().unwrap(), key, true));
        let header = jsonwebtoken::decode_header(&token).unwrap();
        assert_eq!((header.alg, header.typ.as_deref()), (Algorithm::HS256, Some("JWT")));
    }

    #[test]
    fn a_token_that_must_end_and_has_no_end_is_refused() {
        let token = of_service(b"key", "s", 5);
        assert!(read(&token, b"key", true).is_some());
        assert!(read(&token, b"key", false).is_none());
    }
}

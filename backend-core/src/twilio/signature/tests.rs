//! The official libraries' test vectors (twilio-python `test_request_validator.py`, twilio-node
//! `validation.spec.js`), and ours where they have none.

use super::*;

const U: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
const HASH: &str = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
const JSON: &[u8] = br#"{"property": "value", "boolean": true}"#;

fn token() -> SigningSecret {
    SigningSecret::new("12345").unwrap()
}

fn keys() -> SigningKeys {
    SigningKeys::new(token())
}

fn p() -> Form {
    [
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", "+14158675309"),
        ("Digits", "1234"),
        ("From", "+14158675309"),
        ("To", "+18005551212"),
    ]
    .into_iter()
    .collect()
}

fn signed<'a>(url: &'a str, form: &'a Form) -> SignedRequest<'a> {
    SignedRequest { url, content: Content::Form(form) }
}

fn verify(request: SignedRequest<'_>, signature: &str) -> Result<(), SignatureError> {
    request.verify(Some(signature), None, &keys())
}

#[test]
fn signatures_are_those_of_the_official_libraries() {
    let vectors = [
        (U.to_owned(), "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (
            U.replace("https://mycompany.com", "http://mycompany.com:1234"),
            "Zmvh+3yNM1Phv2jhDCwEM3q5ebU=",
        ),
        (U.replace(".com", ".com:443"), "kvajT1Ptam85bY51eRf/AJRuM3w="),
        (
            U.replace("https://mycompany.com", "http://mycompany.com:80"),
            "0ZXoZLH/DfblKGATFgpif+LLRf4=",
        ),
        (U.replace("//", "//user:pass@"), "CukzLTc1tT5dXEDIHm/tKBanW10="),
        (U.replace("//", "//user@"), "2YRLlVAflCqxaNicjMpJcSTgzSs="),
        (
            U.replace("//", "//user:pass@").replace(".com", ".com:443"),
            "ZQFR1PTIZXF2MXB8ZnKCvnnA+rI=",
        ),
        (format!("{U}&Body=It%27s+amazing"), "TfZzewPq8wqrGlMfyAud8+/IvJ0="),
    ];
    for (url, signature) in vectors {
        let (form, url) = (p(), url.as_str());
        assert_eq!(signed(url, &form).sign(&token()), signature, "{url}");
        assert_eq!(verify(signed(url, &form), signature), Ok(()), "{url}");
    }
}

#[test]
fn the_port_may_be_there_or_not() {
    let form = p();
    let valid = [
        (U.replace(".com", ".com:1234"), "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (U.to_owned(), "kvajT1Ptam85bY51eRf/AJRuM3w="),
        (U.replace(".com", ".com:443"), "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (U.replace("https", "http"), "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        (
            U.replace("//", "//user:pass@").replace(".com", ".com:443"),
            "CukzLTc1tT5dXEDIHm/tKBanW10=",
        ),
        (U.replace("//", "//user@").replace(".com", ".com:8443"), "2YRLlVAflCqxaNicjMpJcSTgzSs="),
        (U.replace("//", "//user:pass@"), "ZQFR1PTIZXF2MXB8ZnKCvnnA+rI="),
    ];
    for (url, signature) in valid {
        assert_eq!(verify(signed(&url, &form), signature), Ok(()), "{url}");
    }
    let other_port = U.replace(".com", ".com:1234");
    let refused = verify(signed(&other_port, &form), "kvajT1Ptam85bY51eRf/AJRuM3w=");
    assert_eq!(refused, Err(SignatureError::Mismatch), "signed with 443, asked for 1234");
}

#[test]
fn ports_are_found_behind_userinfo_and_brackets() {
    let cases = [
        ("https://[::1]/a", "https://[::1]:443/a"),
        ("http://u:1@[::1]/a:9", "http://u:1@[::1]:80/a:9"),
        ("wss://u:p@h?x=1:2@3", "wss://u:p@h:443?x=1:2@3"),
        ("https://h", "https://h:443"),
    ];
    for (bare, ported) in cases {
        assert!(spellings(bare).contains(&ported.to_owned()), "{bare}: {:?}", spellings(bare));
        assert!(spellings(ported).contains(&bare.to_owned()), "{ported}: {:?}", spellings(ported));
    }
    assert_eq!(spellings("no url"), ["no url"]);
}

#[test]
fn a_raw_apostrophe_is_tried_as_its_code_too() {
    let form = p();
    for url in [format!("{U}&Body=It's+amazing"), format!("{U}&Body=It%27s+amazing")] {
        assert_eq!(verify(signed(&url, &form), "TfZzewPq8wqrGlMfyAud8+/IvJ0="), Ok(()), "{url}");
    }
}

#[test]
fn values_of_one_name_are_distinct_and_sorted() {
    let digits = |values: [&'static str; 3]| {
        let form = Form::default().with("Sid", "CA123").with("SidAccount", "AC123");
        values.into_iter().fold(form, |form, value| form.with("Digits", value))
    };
    for values in [["5678", "1234", "1234"], ["1234", "5678", "1234"], ["5678", "5678", "1234"]] {
        let form = digits(values);
        assert_eq!(signed(U, &form).sign(&token()), "IK+Dwps556ElfBT0I3Rgjkr1wJU=", "{values:?}");
    }
    let (one, two) = ("+1325xxxxxxx", "+1415xxxxxxx");
    for pair in [[one, two], [two, one]] {
        let form: Form =
            pair.map(|value| ("MessagingBinding.Address", value)).into_iter().collect();
        assert_eq!(signed(U, &form).sign(&token()), "83O6e2vORAoJHUNzJjDWN1jz+BA=");
    }
}

#[test]
fn blank_values_are_signed() {
    let blank = p().with("ToZip", "");
    let signature = signed(U, &blank).sign(&token());
    assert_ne!(signature, signed(U, &p()).sign(&token()));
    let parsed = Form::parse(blank.encode().as_bytes());
    assert_eq!(verify(signed(U, &parsed), &signature), Ok(()));
    assert_eq!(verify(signed(U, &p()), &signature), Err(SignatureError::Mismatch));
}

#[test]
fn a_body_is_covered_by_its_hash() {
    let long = format!("{U}&bodySHA256={HASH}");
    let short = format!("https://mycompany.com/myapp.php?bodySHA256={HASH}");
    let empty =
        format!("{U}&bodySHA256=44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    let ported = empty.replace(".com", ".com:443");
    let vectors: [(&str, &[u8], &str); 4] = [
        (&long, JSON, "a9nBmqA0ju/hNViExpshrM61xv4="),
        (&short, JSON, "y77kIzt2vzLz71DgmJGsen2scGs="),
        (&ported, b"{}", "Ldidvp12m26NI7eqEvxnEpkd9Hc="),
        (&empty, b"{}", "Ldidvp12m26NI7eqEvxnEpkd9Hc="),
    ];
    for (url, body, signature) in vectors {
        let request = SignedRequest { url, content: Content::Body(body) };
        assert_eq!(verify(request, signature), Ok(()), "{url}");
        let other = SignedRequest { url, content: Content::Body(b"{ }") };
        assert_eq!(verify(other, signature), Err(SignatureError::BodyHash), "{url}");
    }
    assert_eq!(with_body_hash(U, JSON), long);
    assert_eq!(with_body_hash("https://mycompany.com/myapp.php", JSON), short);
    let unhashed = SignedRequest { url: U, content: Content::Body(JSON) };
    let signature = unhashed.sign(&token());
    assert_eq!(verify(unhashed, &signature), Err(SignatureError::BodyHash));
}

#[test]
fn handshakes_and_gets_are_signed_over_the_url_alone() {
    let vectors = [
        ("wss://example.com/media", "7PR3qMkpDyEJtMrVOY/LDyNq8J8="),
        ("wss://example.com/media/", "T+WBXwUXC0/CyoZ1DA+p9ilZORs="),
        ("https://example.com/media", "6HZQ7Cq/dSYDCAiy3qRA6PZfACI="),
    ];
    for (url, signature) in vectors {
        let request = SignedRequest { url, content: Content::None };
        assert_eq!(request.sign(&token()), signature, "{url}");
        assert_eq!(verify(request, signature), Ok(()), "{url}");
    }
}

#[test]
fn what_is_not_signed_right_is_refused() {
    let form = p();
    let request = signed(U, &form);
    let signature = request.sign(&token());
    assert_eq!(request.verify(None, None, &keys()), Err(SignatureError::Missing));
    for wrong in ["", "=", "RSOYDt4T1cUTdK1PDd93/VVr8B8", "Zmvh+3yNM1Phv2jhDCwEM3q5ebU=", "ä"] {
        assert_eq!(verify(request, wrong), Err(SignatureError::Mismatch), "{wrong:?}");
    }
    let other = SigningKeys::new(SigningSecret::new("54321").unwrap());
    let refused = request.verify(Some(&signature), None, &other);
    assert_eq!(refused, Err(SignatureError::Mismatch));
    let none = SigningKeys::default();
    assert_eq!(request.verify(Some(&signature), None, &none), Err(SignatureError::Mismatch));
    let tampered = p().with("Digits", "9");
    assert_eq!(verify(signed(U, &tampered), &signature), Err(SignatureError::Mismatch));
    assert_eq!(SigningSecret::new(""), None);
}

#[test]
fn during_a_rotation_either_token_signs() {
    let form = p();
    let second = SigningSecret::new("second").unwrap();
    let both = keys().with_auth_token(second.clone());
    for secret in [token(), second] {
        let signature = signed(U, &form).sign(&secret);
        assert_eq!(signed(U, &form).verify(Some(&signature), None, &both), Ok(()));
    }
}

#[test]
fn a_shared_key_signs_with_sha256() {
    let form = p();
    let request = signed(U, &form);
    let secret = SigningSecret::new("shared secret").unwrap();
    let id = "webhooks_sharedkey_1";
    let keys = keys().with_shared_key(id, secret.clone());
    let (signature, settings) = request.sign_shared(id, &secret);
    assert_eq!(settings, "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256");
    assert_eq!(BASE64.decode(signature.as_bytes()).unwrap().len(), 32);
    assert_eq!(request.verify(Some(&signature), Some(&settings), &keys), Ok(()));
    // Without the header it would be HMAC-SHA1 with the auth token.
    assert_eq!(request.verify(Some(&signature), None, &keys), Err(SignatureError::Mismatch));
    let sha1 = request.sign(&token());
    let explicit = request.verify(Some(&sha1), Some("algorithm=HMAC_SHA1"), &keys);
    assert_eq!(explicit, Ok(()));
    for unknown in [
        "key=webhooks_sharedkey_2,algorithm=HMAC_SHA256",
        "algorithm=HMAC_SHA256",
        "key=webhooks_sharedkey_1,algorithm=NONE",
        "",
        "key",
    ] {
        let refused = request.verify(Some(&signature), Some(unknown), &keys);
        assert_eq!(refused, Err(SignatureError::Settings), "{unknown:?}");
    }
}

#[test]
fn secrets_are_not_printed() {
    let keys = keys().with_shared_key("id", token());
    assert!(!format!("{keys:?}").contains("12345"), "{keys:?}");
}

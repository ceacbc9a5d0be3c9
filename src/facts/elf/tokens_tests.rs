use super::*;

const TOKENS: Tokens<'_> = Tokens {
    origin: "/opt/app",
    lib: "lib64",
    platform: None,
};

#[test]
fn known_tokens_are_replaced_and_others_stay() {
    for (text, expected) in [
        ("$ORIGIN/../lib", "/opt/app/../lib"),
        ("${ORIGIN}x", "/opt/appx"),
        ("$ORIGINAL", "$ORIGINAL"),
        ("/usr/$LIB/a", "/usr/lib64/a"),
        ("/a$", "/a$"),
        ("/a${LIB", "/a${LIB"),
        ("$FOO/$LIB", "$FOO/lib64"),
    ] {
        assert_eq!(TOKENS.expand(text).as_deref(), Some(expected), "{text}");
    }
    assert_eq!(TOKENS.expand("/a/$PLATFORM"), None);
}

#[test]
fn paths_are_split_cleaned_and_made_unique() {
    assert_eq!(
        TOKENS.directories("/a//:/b:::rel:/a:$PLATFORM:/"),
        ["/a/", "/b/", "/"]
    );
}

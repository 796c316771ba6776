//! `release evidence`, `release checks`, `release waive`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::args::{Cli, EvidenceArgs, ReleaseVerb, Verb, WaiveArgs};
use super::exec::{Errand, words};
use super::exit::{Exit, Stop, Went};
use super::keeper::Keeper;
use super::release::{ask_for, done, find, now};
use super::view::ChecksView;
use crate::domain::readiness::{self, Evidence, Standing, asked, checks, standing};
use crate::domain::release::Release;
use crate::domain::text::printable;
use crate::domain::{Ask, CheckName, Notice, Timestamp};
use crate::platform::evidence::{page, sha256};
use crate::platform::http::Http;
use crate::tui::Glyph;

/// The most characters of a file's name or an address that are kept.
const NAME: usize = 300;

/// A command as it is sent to where the room is: the SHA-256 of a file or of what stands at an
/// address is reckoned here, where the person can reach it.
///
/// # Errors
/// When it cannot be read, or its SHA-256 is another than the one that was named.
pub async fn prepared(cli: &Cli, argv: &[String]) -> Result<Vec<String>, Notice> {
    let mut argv = argv.to_vec();
    let Some(Verb::Release {
        verb: ReleaseVerb::Evidence(args),
    }) = &cli.verb
    else {
        return Ok(argv);
    };
    let found = match (&args.what.file, &args.what.url) {
        (Some(file), _) => of_file(file).map_err(|error| {
            Notice::error("cannot-read", format!("the file cannot be read: {error}"))
                .next("name a file that can be read")
                .at(file.display().to_string())
        })?,
        (None, Some(url)) => of_page(url).await.map_err(|why| {
            Notice::error("cannot-read", format!("the address cannot be read: {why}"))
                .detail("evidence is kept with the SHA-256 of what stands there")
                .next("name an address that answers here, or hand in a file")
                .at(printable(url, NAME))
        })?,
        (None, None) => return Ok(argv),
    };
    match &args.sha256 {
        Some(named) if !named.eq_ignore_ascii_case(&found) => Err(Notice::error(
            "other-sha256",
            format!("its SHA-256 is {found}, not {}", printable(named, 80)),
        )
        .next("make sure that it is what you mean")),
        Some(_) => Ok(argv),
        None => {
            argv.push(format!("--sha256={found}"));
            Ok(argv)
        }
    }
}

fn of_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut piece = vec![0; 64 * 1024];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(sha256(&hasher.finalize())),
            n => hasher.update(&piece[..n]),
        }
    }
}

async fn of_page(url: &str) -> Result<String, String> {
    page(&Http::new()?, url).await
}

/// Hands in evidence.
pub async fn run<R: Keeper>(args: &EvidenceArgs, errand: &Errand<'_, R>) -> Went {
    let state = errand.room.state().borrow().clone();
    let release = find(&state, &args.release)?;
    let evidence = evidence(args)?;
    let did = match evidence {
        Evidence::Revoked(_) => "evidence taken back",
        _ => "evidence handed in",
    };
    let ask = Ask::Readiness(readiness::Ask::Evidence {
        release,
        check: CheckName::from(printable(&args.check, 64)),
        evidence,
    });
    let settled = ask_for(ask, errand).await?;
    done(release, settled, did, errand).await
}

fn evidence(args: &EvidenceArgs) -> Result<Evidence, Stop> {
    let what = &args.what;
    let digest = || {
        args.sha256
            .as_deref()
            .map(|d| d.to_ascii_lowercase().into())
            .ok_or_else(|| {
                Stop::input(
                    Notice::error(
                        "no-sha256",
                        "the SHA-256 did not come along with the command",
                    )
                    .next("name it with --sha256"),
                )
            })
    };
    if let Some(file) = &what.file {
        let name = file.file_name().unwrap_or(file.as_os_str());
        return Ok(Evidence::File {
            name: printable(&name.to_string_lossy(), NAME).into(),
            sha256: digest()?,
        });
    }
    if let Some(url) = &what.url {
        return Ok(Evidence::Url {
            url: printable(url, NAME).into(),
            sha256: digest()?,
        });
    }
    if let Some(why) = &what.revoke {
        return Ok(Evidence::Revoked(words(Some(why))));
    }
    if let Some(statement) = &what.statement {
        return Ok(Evidence::Statement(words(Some(statement))));
    }
    let digests = what.digest.iter();
    Ok(Evidence::Digests(
        digests
            .map(|d| printable(&d.to_ascii_lowercase(), 80).into())
            .collect(),
    ))
}

/// Shows a release's checklist.
pub async fn list<R: Keeper>(word: &str, errand: &Errand<'_, R>) -> Went {
    let state = errand.room.state().borrow().clone();
    let (id, now, out) = (find(&state, word)?, now(), errand.out);
    let Some(release) = state.live.get(&id) else {
        let closed = state.closed.get(&id).map_or("", |s| s.ending.words());
        return Err(Stop::from(
            Notice::error("release-closed", format!("{id} is closed: {closed}")).next(format!(
                "`holdpoint ledger show --release {id}` tells on what grounds it went"
            )),
        ));
    };
    if out.look.json {
        out.object(&ChecksView::of(release, now)).await?;
    } else {
        out.say(page_of(release, now)).await?;
    }
    Ok(Exit::Done)
}

fn page_of(release: &Release, now: Timestamp) -> String {
    let rules = checks(release);
    let mut text = format!(
        "{} {} → {}   ",
        release.id,
        release.subject(),
        release.plan.environment
    );
    if rules.is_empty() {
        text.push_str("no checks: policy.toml asks for none\n");
        return text;
    }
    let open = readiness::open(release, now).len();
    text.push_str(&match open {
        0 => format!("all {} checks cleared\n", rules.len()),
        n => format!("{n} of {} checks open\n", rules.len()),
    });
    text.extend(lines(release, now).map(|line| format!("  {line}\n")));
    text
}

/// A line for each check of a release: how it stands, and what it asks for while it is open.
pub fn lines(release: &Release, now: Timestamp) -> impl Iterator<Item = String> {
    let rules = checks(release);
    let width = rules
        .iter()
        .map(|r| r.check.as_str().len())
        .max()
        .unwrap_or(0);
    rules.iter().map(move |rule| {
        let how = standing(release, rule, now);
        let glyph = match &how {
            Standing::Cleared(..) => Glyph::Done,
            Standing::Waived(_) => Glyph::Alert,
            Standing::Failed(_) => Glyph::Failed,
            Standing::Missing(_) | Standing::Expired(..) => Glyph::ToCome,
        };
        let said = match &how {
            Standing::Cleared(words, Some(until)) => {
                format!("{words}; counts for {} more", until.since(now))
            }
            Standing::Cleared(words, None) | Standing::Waived(words) => words.clone(),
            Standing::Missing(words) => format!("missing: {words}"),
            Standing::Failed(words) => format!("{words}; asks for {}", asked(rule)),
            Standing::Expired(words, at) => {
                format!(
                    "expired {} ago: {words}; asks for {}",
                    now.since(*at),
                    asked(rule)
                )
            }
        };
        format!(
            "{} {:<width$}  {said}",
            glyph.text(true),
            rule.check.as_str()
        )
    })
}

/// Waives a hold or a check.
pub async fn waive<R: Keeper>(args: &WaiveArgs, errand: &Errand<'_, R>) -> Went {
    let state = errand.room.state().borrow().clone();
    let release = find(&state, &args.release)?;
    let ask = Ask::Waive {
        release,
        hold: printable(&args.hold, 100).into(),
        reason: words(Some(&args.reason)),
    };
    let settled = ask_for(ask, errand).await?;
    done(release, settled, "waived", errand).await
}

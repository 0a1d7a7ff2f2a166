//! Pages of rows, on a stored run, through the router.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use gristmill_blob::LocalBlobs;
use gristmill_coordinator::Journal;
use gristmill_dashboard::{Dashboard, Folders};
use gristmill_domain::row::Row;
use gristmill_ports::blob::Blobs;
use gristmill_proto::{Record, Segment, SegmentKind};
use http_body_util::BodyExt;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

const RUN: &str = "e571c67d7e81";
const HOSTILE: &str = "<script>alert(1)</script> javascript:alert(1) \u{202e}gpj.exe\u{200b}";

/// A dashboard of a copy of the stored run of version 0.1.
struct Site {
    folder: tempfile::TempDir,
    router: Router,
}

struct Answer {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    bytes: Vec<u8>,
    text: String,
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/runs/0.1/run");
        copy(&stored, &folder.path().join(RUN));
        let source = Arc::new(Folders::new(vec![folder.path().to_owned()]));
        let router = Dashboard::new(source, CancellationToken::new()).router();
        Self { folder, router }
    }

    fn blobs(&self) -> LocalBlobs {
        LocalBlobs::new(self.folder.path().join(RUN).join("state"))
    }

    async fn rows(&self) -> Vec<Row> {
        let blobs = self.blobs();
        let journal = Journal::new(&blobs);
        let mut rows = Vec::new();
        for name in journal.all_segments(SegmentKind::Rows).await.unwrap() {
            rows.extend(
                journal
                    .rows(&name)
                    .await
                    .unwrap()
                    .into_iter()
                    .map(|record| record.value),
            );
        }
        rows
    }

    /// Adds a row with a hostile, long text to the run.
    async fn add_hostile(&self) -> Row {
        let mut row = self.rows().await.into_iter().find(Row::accepted).unwrap();
        row.position.round = 9;
        row.position.index = 0;
        row.id = row.position.row_id(RUN.parse().unwrap());
        row.question = HOSTILE.to_owned();
        row.answer = "x".repeat(1_000_000);
        let bytes = Segment::encode(SegmentKind::Rows, &[Record::plain(row.clone())]).unwrap();
        self.blobs()
            .create("rows/00000009-00000000.seg", bytes)
            .await
            .unwrap();
        row
    }

    async fn get(&self, address: &str) -> Answer {
        let request = Request::get(address)
            .header(header::HOST, "127.0.0.1:7070")
            .body(Body::empty())
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Answer {
            status,
            headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
            bytes: bytes.to_vec(),
        }
    }

    /// Waits until the page says no more that the journal is being read.
    async fn page(&self, address: &str) -> String {
        for _ in 0..100 {
            let answer = self.get(address).await;
            assert_eq!(answer.status, StatusCode::OK, "{address}: {}", answer.text);
            if !answer.text.contains("The journal is being read") {
                return answer.text;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("{address} is never whole");
    }
}

#[tokio::test]
async fn rows_are_counted_filtered_and_downloaded() {
    let site = Site::new();
    let rows = site.rows().await;
    let page = site.page(&format!("/runs/{RUN}/rows")).await;
    let accepted = rows.iter().filter(|row| row.accepted()).count();
    assert!(
        page.contains(&format!("<h2 id=\"found\">{} rows</h2>", rows.len() + 20)),
        "{page}"
    );
    let filtered = site.page(&format!("/runs/{RUN}/rows?verdict=accepted")).await;
    assert!(
        filtered.contains(&format!("{accepted} of {} rows", rows.len() + 20)),
        "{filtered}"
    );
    let file = site
        .get(&format!("/runs/{RUN}/rows.jsonl?verdict=accepted"))
        .await;
    assert_eq!(file.status, StatusCode::OK);
    assert!(
        file.headers[header::CONTENT_DISPOSITION]
            .to_str()
            .unwrap()
            .starts_with("attachment")
    );
    assert_eq!(file.text.lines().count(), accepted);
    let table = site.get(&format!("/runs/{RUN}/rows.csv?verdict=rejected")).await;
    assert!(table.text.starts_with("id,kind,verdict"), "{}", table.text);
    let rejects = site.page(&format!("/runs/{RUN}/rejects")).await;
    assert!(
        rejects.contains(&format!("{} rejected rows", rows.len() - accepted)),
        "{rejects}"
    );
}

#[tokio::test]
async fn pages_lead_to_each_other_until_all_rows_were_seen() {
    let site = Site::new();
    site.page(&format!("/runs/{RUN}/rows")).await;
    let (mut address, mut seen) = (format!("/runs/{RUN}/rows"), std::collections::HashSet::new());
    for _ in 0..10 {
        let page = site.page(&address).await;
        for part in page.split("id=\"row-").skip(1) {
            assert!(seen.insert(part[..32].to_owned()), "a row twice");
        }
        let Some((_, next)) = page.split_once("rel=\"next\" href=\"") else {
            break;
        };
        address = next.split_once('"').unwrap().0.replace("&amp;", "&");
    }
    assert_eq!(seen.len(), site.rows().await.len() + 20);
}

#[tokio::test]
async fn a_row_shows_its_steps_and_whatever_it_says_stays_text() {
    let site = Site::new();
    let row = site.add_hostile().await;
    site.page(&format!("/runs/{RUN}/rows")).await;
    let list = site.page(&format!("/runs/{RUN}/rows?q=alert")).await;
    let address = format!("/runs/{RUN}/rows/{}", row.id);
    let one = site.page(&address).await;
    for page in [&list, &one] {
        assert!(
            !page.contains("<script>alert") && page.contains("&lt;script&gt;alert(1)"),
            "{page}"
        );
        assert!(!page.contains('\u{202e}') && page.contains("⟨U+202E⟩"), "{page}");
        assert!(!page.contains("style=\""), "the policy forbids it");
    }
    assert!(one.len() < 100_000, "a long answer is cut: {} bytes", one.len());
    let whole = site.get(&format!("{address}/text/answer")).await;
    assert_eq!(whole.text, row.answer);
    assert_eq!(whole.headers[header::CONTENT_TYPE], "text/plain; charset=utf-8");
    assert!(whole.headers.contains_key(header::X_CONTENT_TYPE_OPTIONS));
    let other = site
        .rows()
        .await
        .into_iter()
        .find(|row| !row.tasks.is_empty() && row.position.round == 1)
        .unwrap();
    let page = site.page(&format!("/runs/{RUN}/rows/{}", other.id)).await;
    for task in &other.tasks {
        assert!(page.contains(&task.to_string()), "{task}");
    }
    assert!(page.contains("Where it comes from") && page.contains("Most similar rows"));
    assert!(
        page.contains("that ask the very same question, one is shown"),
        "{page}"
    );
    assert!(
        page.contains(&format!("/runs/{RUN}/rows?like={}", other.id)),
        "{page}"
    );
    let beside = site
        .page(&format!("/runs/{RUN}/compare?a={}&b={}", row.id, other.id))
        .await;
    assert!(beside.contains("differs"));
    let pane = site.get(&format!("{address}/pane")).await;
    assert!(!pane.text.contains("<html") && pane.text.contains("Steps"));
    let json = site.get(&format!("{address}/json")).await;
    assert!(json.text.contains("\"tasks\""));
}

#[tokio::test]
async fn what_is_not_there_is_said_with_the_way_out() {
    let site = Site::new();
    site.page(&format!("/runs/{RUN}/rows")).await;
    for (address, status, says) in [
        (
            "rows?verdict=acepted",
            StatusCode::BAD_REQUEST,
            "did you mean `accepted`?",
        ),
        (
            "rows?verdcit=accepted",
            StatusCode::BAD_REQUEST,
            "did you mean `verdict`?",
        ),
        (
            "rows?at=nowhere",
            StatusCode::BAD_REQUEST,
            "begin at the first page",
        ),
        ("rows?q=%3F", StatusCode::BAD_REQUEST, "no word to search for"),
        ("map?by=colour", StatusCode::BAD_REQUEST, "choose verdict"),
        (
            "map?show=all",
            StatusCode::BAD_REQUEST,
            "choose points, density, labels",
        ),
        (
            "rows?through=last",
            StatusCode::BAD_REQUEST,
            "the last round whose rows",
        ),
        ("rows?sort=similar", StatusCode::BAD_REQUEST, "by `like`"),
        (
            "rows?like=ffffffffffffffff",
            StatusCode::BAD_REQUEST,
            "give a row's id",
        ),
        (
            "rows/ffffffffffff",
            StatusCode::NOT_FOUND,
            "has no row ffffffffffff",
        ),
        ("rows/nonsense", StatusCode::NOT_FOUND, "has no row nonsense"),
        ("compare?a=1", StatusCode::BAD_REQUEST, "give `a` and `b`"),
        ("row-number/999999", StatusCode::NOT_FOUND, "no row number"),
    ] {
        let answer = site.get(&format!("/runs/{RUN}/{address}")).await;
        assert_eq!(answer.status, status, "{address}: {}", answer.text);
        // Backticks in messages become elements.
        let text = answer.text.replace("<code>", "`").replace("</code>", "`");
        assert!(text.contains(says), "{address}: {text}");
    }
    assert_eq!(
        site.get("/runs/ffffffffffff/rows").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn rows_are_found_by_what_they_are_like() {
    let site = Site::new();
    let rows = site.rows().await;
    let list = site.page(&format!("/runs/{RUN}/rows?verdict=rejected")).await;
    // From any list, with what is chosen there.
    let id = rows.iter().find(|row| !row.accepted()).unwrap().id;
    let address = format!("/runs/{RUN}/rows?verdict=rejected&amp;like={id}");
    assert!(list.contains(&address), "{list}");
    let like = site
        .page(&format!("/runs/{RUN}/rows?verdict=accepted&like={id}"))
        .await;
    assert!(like.contains("most similar first") && like.contains(&format!("row {}", &id.to_string()[..12])));
    let shares: Vec<f64> = like
        .split("data-head=\"Similarity\">")
        .skip(1)
        .map(|part| part.split_once('<').unwrap().0.parse().unwrap())
        .collect();
    assert!(
        !shares.is_empty() && shares.is_sorted_by(|a, b| a >= b),
        "{shares:?}"
    );
    let question = rows.iter().find(|row| row.accepted()).unwrap().question.clone();
    let text: String = question
        .chars()
        .filter(|c| c.is_alphanumeric() || *c == ' ')
        .collect();
    let like = site
        .page(&format!("/runs/{RUN}/rows?like={}", text.replace(' ', "%20")))
        .await;
    assert!(
        like.contains("similar to") && like.contains("data-head=\"Similarity\">1.000"),
        "{like}"
    );
}

/// The map of a run, once all of its rows have a place.
async fn map(site: &Site, asked: &str) -> String {
    for _ in 0..200 {
        let page = site.page(&format!("/runs/{RUN}/map?{asked}")).await;
        // Rows are placed after they are read.
        if page.contains("data-points") && !page.contains("no place yet") {
            return page;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the map is never whole");
}

#[tokio::test]
async fn the_map_is_a_picture_points_and_tables() {
    let site = Site::new();
    let page = map(&site, "by=recipe").await;
    assert!(page.contains("Points by place") && page.contains("outline="));
    let picture = site.get(&format!("/runs/{RUN}/map.png")).await;
    assert_eq!(picture.headers[header::CONTENT_TYPE], "image/png");
    let points = site.get(&format!("/runs/{RUN}/map.bin")).await;
    assert_eq!(points.status, StatusCode::OK);
    let inside = site
        .page(&format!("/runs/{RUN}/rows?outline=0,0,1,0,1,1,0,1"))
        .await;
    assert!(inside.contains("in an outline on the map"));
}

#[tokio::test]
async fn the_map_grows_by_rounds() {
    let site = Site::new();
    let rows = site.rows().await;
    let last = rows.iter().map(|row| row.position.round).max().unwrap();
    let whole = map(&site, "").await;
    assert!(
        whole.contains(&format!("max=\"{last}\"")) && whole.contains("type=\"range\""),
        "{whole}"
    );
    let links = (0..=last).filter(|round| whole.contains(&format!("/runs/{RUN}/map?through={round}")));
    assert!(links.count() > 1, "each round leads to the map up to it");
    let told = |page: &str| -> u64 {
        let (_, rest) = page.split_once("distances across the map mean little. ").unwrap();
        let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
        number.parse().unwrap()
    };
    let first = map(&site, "through=0").await;
    assert!(told(&first) < told(&whole) && first.contains("up to round: 0"));
    // A slider that was left at its end asks for nothing.
    let end = map(&site, &format!("through={last}&q=")).await;
    assert!(told(&end) == told(&whole) && !end.contains("up to round: "));
    // The canvas has the points of all rounds, and knows which is of which.
    let points = site.get(&format!("/runs/{RUN}/map.bin")).await;
    assert_eq!(points.bytes.len() as u64, 16 * told(&whole));
    let rounds: std::collections::BTreeSet<u16> =
        canvas(&points.bytes).into_iter().map(|point| point[5]).collect();
    assert!(rounds.contains(&0) && rounds.contains(&(u16::try_from(last).unwrap() + 1)));
}

/// What the canvas gets of each point: its place, where it is drawn, its colour, and one more than its round.
fn canvas(bytes: &[u8]) -> Vec<[u16; 6]> {
    let point = |bytes: &[u8]| std::array::from_fn(|i| u16::from_le_bytes([bytes[2 * i], bytes[2 * i + 1]]));
    bytes.chunks_exact(16).map(point).collect()
}

#[tokio::test]
async fn rows_at_one_place_are_drawn_around_it_and_real_ones_cover_no_other() {
    let site = Site::new();
    map(&site, "").await;
    let points = canvas(&site.get(&format!("/runs/{RUN}/map.bin")).await.bytes);
    let places = |from: usize| -> std::collections::BTreeSet<(u16, u16)> {
        points
            .iter()
            .map(|point| (point[from], point[from + 1]))
            .collect()
    };
    let (at, drawn) = (places(0), places(2));
    assert!(at.len() < points.len(), "answers to one question have its place");
    assert_eq!(drawn.len(), points.len(), "each is drawn at a place of its own");
    let real = points.iter().filter(|point| point[5] == 0).count();
    assert!(
        real > 0 && points[..real].iter().all(|point| point[5] == 0),
        "they are drawn first"
    );
}

#[tokio::test]
async fn rows_that_are_chosen_on_the_map_are_beside_it() {
    let site = Site::new();
    let whole = map(&site, "").await;
    assert!(
        whole.contains("aria-labelledby=\"chosen-title\" hidden"),
        "nothing is chosen"
    );
    let left = "outline=0,0,0.5,0,0.5,1,0,1";
    let page = map(&site, &format!("{left}&show=points&show=labels")).await;
    assert!(
        page.contains("rows in the outline") && page.contains("<polygon"),
        "{page}"
    );
    assert!(
        page.contains("class=\"density off\"") && !page.contains("class=\"labels off\""),
        "{page}"
    );
    let part = site.get(&format!("/runs/{RUN}/map/selection?{left}")).await;
    assert!(!part.text.contains("<html") && part.text.contains("All of them as a list"));
    let list = site.page(&format!("/runs/{RUN}/rows?{left}")).await;
    let number = part.text.split_once("<p>").unwrap().1.split_once(' ').unwrap().0;
    assert!(
        list.contains(&format!("<h2 id=\"found\">{number} of")),
        "{number}: {list}"
    );
    // A class has the same colour whatever is chosen.
    let key = |page: &str| -> std::collections::BTreeSet<String> {
        let keys = page.split("svg class=\"key ").skip(1);
        keys.map(|key| {
            let name = key.split_once("verdict=").unwrap().1.split('"').next().unwrap();
            format!("{} {name}", key.split('"').next().unwrap())
        })
        .collect()
    };
    let rejected = map(&site, "verdict=rejected").await;
    let of_rejected = rejected.split("svg class=\"key ").nth(1).unwrap();
    let colour = of_rejected.split('"').next().unwrap().to_owned();
    assert!(
        key(&whole).contains(&format!("{colour} rejected")),
        "{:?}",
        key(&whole)
    );
    // What is not chosen stays to be seen in the picture.
    let picture = site.get(&format!("/runs/{RUN}/map.png?{left}")).await;
    let without = site.get(&format!("/runs/{RUN}/map.png")).await;
    assert!(picture.status == StatusCode::OK && picture.bytes != without.bytes);
}

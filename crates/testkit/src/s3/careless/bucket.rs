//! The double's one bucket: objects, and uploads that are not finished.
//!
//! Invariants: a later write to a name replaces the earlier one, whatever its
//! condition says; an upload is no object before it is completed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;

use super::request::{Answer, Request};

/// S3's own least size of a part that is not the last.
const SMALLEST_PART: usize = 5 << 20;
const PAGE: usize = 1000;
/// Fewer than S3 has: whoever reads the first page only fails.
const UPLOADS_PAGE: usize = 2;

#[derive(Debug, Default)]
pub(super) struct Bucket {
    objects: BTreeMap<String, Object>,
    uploads: BTreeMap<String, Pending>,
    counted: u64,
}

#[derive(Debug)]
struct Object {
    bytes: Vec<u8>,
    tag: String,
    modified: Timestamp,
}

#[derive(Debug)]
struct Pending {
    key: String,
    begun: Timestamp,
    parts: BTreeMap<u32, (String, Vec<u8>)>,
}

impl Bucket {
    pub(super) fn answer(&mut self, request: &Request, name: &str) -> Answer {
        let (bucket, key) = request
            .path
            .split_once('/')
            .unwrap_or((request.path.as_str(), ""));
        if bucket != name {
            return Answer::error(404, "NoSuchBucket");
        }
        let has = |query: &str| request.query.contains_key(query);
        let key = key.to_owned();
        match (request.method.as_str(), key.is_empty()) {
            ("GET", true) if has("list-type") => self.list(&request.query),
            ("GET", true) if has("uploads") => self.list_uploads(&request.query),
            ("GET" | "HEAD", false) => self.read(&key, request.headers.get("range")),
            ("PUT", false) if has("partNumber") => self.part(request),
            ("PUT", false) => self.write(key, request.body.clone()),
            ("POST", false) if has("uploads") => self.begin(key),
            ("POST", false) if has("uploadId") => self.complete(request),
            ("DELETE", false) => match request.query.get("uploadId") {
                Some(id) => match self.uploads.remove(id) {
                    Some(_) => Answer::of(204),
                    None => Answer::error(404, "NoSuchUpload"),
                },
                None => {
                    self.objects.remove(&key);
                    Answer::of(204)
                }
            },
            _ => Answer::error(405, "MethodNotAllowed"),
        }
    }

    fn tag(&mut self) -> String {
        self.counted += 1;
        format!("\"{:032x}\"", self.counted)
    }

    fn write(&mut self, key: String, bytes: Vec<u8>) -> Answer {
        let tag = self.tag();
        let object = Object {
            bytes,
            tag: tag.clone(),
            modified: Timestamp::now(),
        };
        self.objects.insert(key, object);
        Answer::of(200).with_header("ETag", &tag)
    }

    fn read(&self, key: &str, range: Option<&String>) -> Answer {
        let Some(object) = self.objects.get(key) else {
            return Answer::error(404, "NoSuchKey");
        };
        let size = object.bytes.len();
        let (status, bytes, told) = match range.map(|range| within(range, size)) {
            None => (200, &object.bytes[..], None),
            Some(None) => return Answer::error(416, "InvalidRange"),
            Some(Some((first, end))) => {
                let told = format!("bytes {first}-{}/{size}", end - 1);
                (206, &object.bytes[first..end], Some(told))
            }
        };
        let modified = object.modified.strftime("%a, %d %b %Y %H:%M:%S GMT");
        let mut answer = Answer::of(status)
            .with_header("ETag", &object.tag)
            .with_header("Last-Modified", &modified)
            .with_body(bytes);
        if let Some(told) = told {
            answer = answer.with_header("Content-Range", &told);
        }
        answer
    }

    fn list(&self, query: &BTreeMap<String, String>) -> Answer {
        let text = |name: &str| query.get(name).map_or("", String::as_str);
        let most = text("max-keys").parse().unwrap_or(PAGE).min(PAGE);
        let after = text("continuation-token");
        let mut wanted = self
            .objects
            .iter()
            .filter(|(key, _)| key.starts_with(text("prefix")) && key.as_str() > after);
        let page: Vec<_> = wanted.by_ref().take(most).collect();
        let more = wanted.next().is_some();
        let mut xml = format!("<ListBucketResult><IsTruncated>{more}</IsTruncated>");
        // Writing into a string does not fail.
        if let (true, Some((last, _))) = (more, page.last()) {
            let last = escaped(last);
            let _ = write!(xml, "<NextContinuationToken>{last}</NextContinuationToken>");
        }
        for (key, object) in page {
            let modified = object.modified.strftime("%Y-%m-%dT%H:%M:%S.000Z");
            let _ = write!(
                xml,
                "<Contents><Key>{}</Key><Size>{}</Size>\
                 <LastModified>{modified}</LastModified></Contents>",
                escaped(key),
                object.bytes.len()
            );
        }
        xml.push_str("</ListBucketResult>");
        Answer::of(200).with_body(xml)
    }

    /// By key, and by id where there are several of a key, two in a page.
    fn list_uploads(&self, query: &BTreeMap<String, String>) -> Answer {
        let text = |name: &str| query.get(name).map_or("", String::as_str);
        let after = (text("key-marker"), text("upload-id-marker"));
        let place = |(id, upload): &(&String, &Pending)| (upload.key.clone(), (*id).clone());
        let mut uploads: Vec<_> = self.uploads.iter().collect();
        uploads.sort_by_key(place);
        let mut wanted = uploads.into_iter().filter(|(id, upload)| {
            let place = (upload.key.as_str(), id.as_str());
            upload.key.starts_with(text("prefix")) && place > after
        });
        let page: Vec<_> = wanted.by_ref().take(UPLOADS_PAGE).collect();
        let more = wanted.next().is_some();
        let mut xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListMultipartUploadsResult \
             xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><IsTruncated>{more}</IsTruncated>"
        );
        // Writing into a string does not fail.
        if let (true, Some((id, last))) = (more, page.last()) {
            let _ = write!(
                xml,
                "<NextKeyMarker>{}</NextKeyMarker><NextUploadIdMarker>{id}</NextUploadIdMarker>",
                last.key
            );
        }
        for (id, upload) in page {
            let begun = upload.begun.strftime("%Y-%m-%dT%H:%M:%S.000Z");
            let _ = write!(
                xml,
                "<Upload><Key>{}</Key><UploadId>{id}</UploadId><Initiator><ID>x</ID></Initiator>\
                 <Initiated>{begun}</Initiated></Upload>",
                upload.key
            );
        }
        xml.push_str("</ListMultipartUploadsResult>");
        Answer::of(200).with_body(xml)
    }

    fn begin(&mut self, key: String) -> Answer {
        self.counted += 1;
        let id = format!("upload-{}", self.counted);
        let xml = format!(
            "<InitiateMultipartUploadResult><UploadId>{id}</UploadId>\
             </InitiateMultipartUploadResult>"
        );
        let pending = Pending {
            key,
            begun: Timestamp::now(),
            parts: BTreeMap::new(),
        };
        self.uploads.insert(id, pending);
        Answer::of(200).with_body(xml)
    }

    fn part(&mut self, request: &Request) -> Answer {
        let tag = self.tag();
        let id = request.query.get("uploadId").map_or("", String::as_str);
        let Some(upload) = self.uploads.get_mut(id) else {
            return Answer::error(404, "NoSuchUpload");
        };
        match request.query["partNumber"].parse() {
            Ok(number @ 1..=10_000) => {
                let bytes = request.body.clone();
                upload.parts.insert(number, (tag.clone(), bytes));
                Answer::of(200).with_header("ETag", &tag)
            }
            _ => Answer::error(400, "InvalidArgument"),
        }
    }

    fn complete(&mut self, request: &Request) -> Answer {
        let id = &request.query["uploadId"];
        let Some(upload) = self.uploads.get(id) else {
            return Answer::error(404, "NoSuchUpload");
        };
        let text = String::from_utf8_lossy(&request.body);
        let mut bytes = Vec::new();
        let told: Vec<(u32, String)> = text.split("<Part>").skip(1).filter_map(told_part).collect();
        for (at, (number, tag)) in told.iter().enumerate() {
            let in_order = at == 0 || told[at - 1].0 < *number;
            match upload.parts.get(number) {
                Some((known, _)) if known != tag || !in_order => {
                    return Answer::error(400, "InvalidPart");
                }
                Some((_, part)) if part.len() < SMALLEST_PART && at + 1 < told.len() => {
                    return Answer::error(400, "EntityTooSmall");
                }
                Some((_, part)) => bytes.extend_from_slice(part),
                None => return Answer::error(400, "InvalidPart"),
            }
        }
        if told.is_empty() {
            return Answer::error(400, "MalformedXML");
        }
        let key = upload.key.clone();
        self.uploads.remove(id);
        self.write(key, bytes);
        let xml = "<CompleteMultipartUploadResult><ETag>\"x-1\"</ETag>\
                   </CompleteMultipartUploadResult>";
        Answer::of(200).with_body(xml)
    }
}

/// A text as XML has it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// First and end of a range `bytes=a-b` in an object of that size; none where it
/// begins after the end.
fn within(range: &str, size: usize) -> Option<(usize, usize)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let first: usize = first.parse().ok()?;
    let end = last
        .parse::<usize>()
        .map_or(size, |last| last + 1)
        .min(size);
    (first < end).then_some((first, end))
}

/// Number and tag of a part that a completion tells.
fn told_part(text: &str) -> Option<(u32, String)> {
    let inside = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        let (value, _) = rest.split_once(&format!("</{name}>"))?;
        Some(value.replace("&quot;", "\""))
    };
    Some((inside("PartNumber")?.parse().ok()?, inside("ETag")?))
}

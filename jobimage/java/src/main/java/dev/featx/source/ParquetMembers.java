package dev.featx.source;

import dev.featx.failure.QuarantineReason;
import dev.featx.failure.RunProblem;
import dev.featx.image.ImageProblem;
import dev.featx.image.Signature;
import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.parquet.HadoopReadOptions;
import org.apache.parquet.ParquetReadOptions;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.ParquetReader;
import org.apache.parquet.hadoop.api.InitContext;
import org.apache.parquet.hadoop.api.ReadSupport;
import org.apache.parquet.hadoop.example.GroupReadSupport;
import org.apache.parquet.hadoop.metadata.BlockMetaData;
import org.apache.parquet.hadoop.metadata.ColumnChunkMetaData;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.apache.parquet.io.ParquetDecodingException;
import org.apache.parquet.io.api.Binary;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.PrimitiveType.PrimitiveTypeName;

/** Images in a column of a Parquet file: bytes, or a struct with bytes and path. Columns that are not needed are not read. */
final class ParquetMembers implements PackedImages.Members {
  private static final String MAGIC = "PAR1";
  private static final String ENCRYPTED = "PARE";
  private static final long MOST_FOOTER = 16 << 20; // bytes; in the heap it takes ten times as many
  /** Most bytes of a row group's columns, and of a page. */
  private static final long MOST_IN_MEMORY = Runtime.getRuntime().maxMemory() / 3;

  private final PackedFile file;
  private final ParquetReader<Group> reader;
  private final ParquetImages columns;
  private final List<BlockMetaData> rowGroups = new ArrayList<>();
  private final ColumnNames names;
  private long largestColumn;
  private long count;
  private long place = -1;
  private boolean checked;

  ParquetMembers(PackedFile file) throws IOException {
    this.file = file;
    checkEnd();
    MessageType all = schema();
    this.columns = ParquetImages.of(all, file);
    this.names = new ColumnNames(file.settings().carry());
    all.getFields().forEach(type -> names.add(type.getName()));
    rowGroups.forEach(this::check);
    Configuration conf = new Configuration(file.conf());
    MessageType schema = columns.schema();
    this.reader = new ParquetReader.Builder<Group>(file) {
      @Override
      protected ReadSupport<Group> getReadSupport() {
        return new GroupReadSupport() {
          @Override
          public ReadContext init(InitContext context) {
            return new ReadContext(schema); // as text, it cannot be parsed if a name has a blank
          }
        };
      }
    }.withConf(conf).withCodecFactory(new ParquetCodecs(conf, largestColumn, this::checkPage)).build();
  }

  /** The file's end locates all else; a file that was cut has none. */
  private void checkEnd() throws IOException {
    byte[] end = new byte[Integer.BYTES + MAGIC.length()];
    try (FSDataInputStream stream = file.open()) {
      stream.seek(Math.max(0, file.getLength() - end.length));
      stream.readFully(end);
    }
    String magic = new String(end, Integer.BYTES, MAGIC.length(), StandardCharsets.ISO_8859_1);
    if (magic.equals(ENCRYPTED)) {
      throw PackedContent.unsupported(file, "it is encrypted; write it without");
    }
    if (!magic.equals(MAGIC)) {
      throw new EOFException("the file ends before its footer");
    }
    checkLimit("its footer has", Integer.toUnsignedLong(Integer.reverseBytes(ByteBuffer.wrap(end).getInt())), MOST_FOOTER,
        "write fewer columns and larger row groups");
  }

  private MessageType schema() throws IOException {
    ParquetReadOptions options = HadoopReadOptions.builder(file.conf()).build();
    try (ParquetFileReader footer = ParquetFileReader.open(file, options)) {
      rowGroups.addAll(footer.getFooter().getBlocks());
      count = footer.getRecordCount();
      return footer.getFileMetaData().getSchema();
    }
  }

  /** Checks what is read of a row group, which is in memory as a whole. */
  private void check(BlockMetaData rowGroup) {
    long size = 0;
    for (ColumnChunkMetaData column : rowGroup.getColumns()) {
      if (columns.schema().containsField(column.getPath().toArray()[0])) {
        if (column.getCodec() == CompressionCodecName.LZO) {
          throw PackedContent.unsupported(file, "it is compressed by LZO, which is not read here; write it with zstd");
        }
        if (column.getTotalSize() < 0 || column.getTotalSize() > length()) {
          throw new ParquetDecodingException("a column is larger than the file");
        }
        size += column.getTotalSize();
        largestColumn = Math.max(largestColumn, column.getTotalUncompressedSize());
      }
    }
    checkLimit("the columns of a row group have", size, MOST_IN_MEMORY, "write smaller row groups");
  }

  private void checkPage(long size) {
    checkLimit("a page has", size, MOST_IN_MEMORY, "write smaller pages");
  }

  private void checkLimit(String what, long bytes, long limit, String hint) {
    if (bytes > limit) {
      throw PackedContent.unsupported(file, what + " " + bytes + " bytes, more than the limit, " + limit + "; " + hint);
    }
  }

  private long length() {
    try {
      return file.getLength();
    } catch (IOException e) {
      throw new UncheckedIOException(e); // it was read before
    }
  }

  /** Returns the next row, or null; Parquet wraps what its codecs throw. */
  private Group nextRow() throws IOException {
    try {
      return reader.read();
    } catch (ParquetDecodingException e) {
      for (Throwable cause = e; cause != null; cause = cause.getCause()) {
        if (cause instanceof RunProblem refusal) {
          throw refusal;
        }
      }
      throw e;
    }
  }

  @Override
  public PackedImages.Member next() throws IOException {
    Group row = nextRow();
    if (row == null) {
      return null;
    }
    place++;
    String name = columns.name() == null ? "" : name(row, columns.name());
    Group holder = row;
    String field = columns.content();
    if (columns.field() != null) {
      if (row.getFieldRepetitionCount(columns.content()) == 0) {
        return empty(name);
      }
      holder = row.getGroup(columns.content(), 0);
      field = columns.field();
      name = columns.path() == null || !name.isEmpty() ? name : name(holder, columns.path());
    }
    if (!row.getType().getType(columns.content()).isPrimitive() && columns.field() == null) {
      throw unsupported("lists; write one image per row, as Spark's explode does");
    }
    if (holder.getFieldRepetitionCount(field) == 0) {
      return empty(name);
    }
    Binary bytes = holder.getBinary(field, 0);
    checkContent(bytes);
    return PackedImages.Member.of(name, place, bytes.length() <= file.maxBytes() ? bytes.getBytes() : null, bytes.length())
        .with(carried(row));
  }

  @Override
  public ColumnNames columns() {
    return names;
  }

  @Override
  public long count() {
    return count;
  }

  private PackedImages.Member empty(String name) {
    return PackedImages.Member.failed(name, place, new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.EMPTY,
        file.settings().urlColumn() != null ? "the row has no URL in column " + columns.content()
            : "the row has no bytes in column " + columns.content() + "; a path alone is not followed: write the images into the file"));
  }

  /** Recognizes text in place of images by the first value. */
  private void checkContent(Binary first) {
    if (checked || file.settings().urlColumn() != null) {
      return;
    }
    checked = true;
    byte[] head = Arrays.copyOf(first.getBytes(), Math.min(first.length(), 64));
    String start = new String(head, StandardCharsets.ISO_8859_1);
    if (start.matches("(?s)(https?|s3a?|gs|hdfs)://.*")) {
      throw unsupported("URLs of images; set spec.source.packed.urlColumn to it, and they are fetched");
    }
    if (isBase64(start)) {
      throw unsupported("base64 text; decode it into a binary column first, as Spark's unbase64 does");
    }
    if (columns.schema().getType(columns.content()).getLogicalTypeAnnotation() != null) {
      throw unsupported("text; set spec.source.packed.contentColumn to a column of encoded images");
    }
  }

  private static boolean isBase64(String start) {
    String text = start.startsWith("data:image/") ? start.substring(start.indexOf(',') + 1) : start;
    text = text.replaceAll("\\s", "");
    try {
      return text.length() >= 16 && Signature.of(Base64.getDecoder().decode(text.substring(0, text.length() / 4 * 4))) != null;
    } catch (IllegalArgumentException e) {
      return false;
    }
  }

  private RuntimeException unsupported(String holds) {
    return PackedContent.unsupported(file, "column " + columns.content() + " holds " + holds);
  }

  private Map<String, String> carried(Group row) {
    Map<String, String> values = new HashMap<>();
    for (String column : file.settings().carry()) {
      if (columns.schema().containsField(column) && row.getFieldRepetitionCount(column) > 0) {
        values.put(column, ParquetText.of(row, column));
      }
    }
    return values;
  }

  /** Returns a name, written as an image's key; empty if it is null. */
  private static String name(Group row, String field) {
    boolean binary = row.getType().getType(field).asPrimitiveType().getPrimitiveTypeName() == PrimitiveTypeName.BINARY;
    return binary && row.getFieldRepetitionCount(field) > 0 ? ImageKeys.of(row.getBinary(field, 0).getBytes()) : text(row, field);
  }

  /** Returns a value as text; empty if it is null. */
  private static String text(Group row, String field) {
    if (row.getFieldRepetitionCount(field) == 0) {
      return "";
    }
    return row.getValueToString(row.getType().getFieldIndex(field), 0);
  }

  @Override
  public void close() throws IOException {
    reader.close();
  }
}

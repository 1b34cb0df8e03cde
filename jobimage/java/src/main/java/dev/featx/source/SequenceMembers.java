package dev.featx.source;

import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.commons.compress.utils.BoundedInputStream;
import org.apache.hadoop.hbase.io.ImmutableBytesWritable;
import org.apache.hadoop.io.BooleanWritable;
import org.apache.hadoop.io.ByteWritable;
import org.apache.hadoop.io.BytesWritable;
import org.apache.hadoop.io.DoubleWritable;
import org.apache.hadoop.io.FloatWritable;
import org.apache.hadoop.io.IntWritable;
import org.apache.hadoop.io.LongWritable;
import org.apache.hadoop.io.NullWritable;
import org.apache.hadoop.io.ShortWritable;
import org.apache.hadoop.io.Text;
import org.apache.hadoop.io.VIntWritable;
import org.apache.hadoop.io.VLongWritable;
import org.apache.hadoop.io.Writable;
import org.apache.hadoop.io.WritableUtils;
import org.apache.hadoop.io.compress.CodecPool;
import org.apache.hadoop.io.compress.CompressionCodec;
import org.apache.hadoop.io.compress.CompressionCodecFactory;
import org.apache.hadoop.io.compress.Decompressor;
import org.apache.hadoop.io.compress.DefaultCodec;
import org.apache.hadoop.util.ReflectionUtils;

/**
 * Images in the values of a SequenceFile (BytesWritable), named by its keys.
 *
 * <p>Hadoop's reader allocates as many bytes as a record says that it has, and loads whatever class a file names.
 */
final class SequenceMembers implements PackedImages.Members {
  private static final int MAGIC = 3; // bytes
  private static final int SYNC = 16; // bytes of the mark between records
  private static final int LONGEST_KEY = 1 << 20;
  private static final int LONGEST_TEXT = 1 << 20; // of the header
  private static final int MOST_METADATA = 1000;
  private static final int MOST_OF_A_BLOCK = 32 << 20; // bytes of its keys, and of lengths, uncompressed
  private static final int WITH_BLOCKS = 4; // versions
  private static final int WITH_CODEC = 5;
  private static final int WITH_METADATA = 6;
  private static final Set<String> BYTES = Stream.of(BytesWritable.class, ImmutableBytesWritable.class).map(Class::getName)
      .collect(Collectors.toUnmodifiableSet());
  private static final Map<String, Class<? extends Writable>> KEYS = Stream.<Class<? extends Writable>>of(Text.class,
      BytesWritable.class, ImmutableBytesWritable.class, NullWritable.class, IntWritable.class, LongWritable.class,
      VIntWritable.class, VLongWritable.class, ShortWritable.class, ByteWritable.class, FloatWritable.class, DoubleWritable.class,
      BooleanWritable.class).collect(Collectors.toUnmodifiableMap(Class::getName, Function.identity()));

  private final PackedFile file;
  private final DataInputStream in;
  private final Class<? extends Writable> keys;
  private final boolean blocks;
  private final CompressionCodec codec; // null if values are not compressed
  private final Decompressor decompressor;
  private final byte[] sync = new byte[SYNC];
  private long place = -1;

  private int recordsOfBlock;
  private DataInputStream keyLengths;
  private DataInputStream keysOfBlock;
  private DataInputStream valueLengths;
  private BoundedInputStream storedValues;
  private InputStream values;

  SequenceMembers(PackedFile file) throws IOException {
    this.file = file;
    this.in = new DataInputStream(new BufferedInputStream(file.open(), 1 << 20));
    in.skipNBytes(MAGIC);
    int version = in.readByte();
    if (version < WITH_BLOCKS) {
      throw PackedContent.unsupported(file, "it is a SequenceFile of version " + version + ", which is not read here; write it anew");
    }
    this.keys = KEYS.get(text());
    if (keys == null) {
      throw PackedContent.unsupported(file, "its keys are neither Text, BytesWritable nor numbers");
    }
    if (!text().equals(BytesWritable.class.getName())) {
      throw PackedContent.unsupported(file, "its values have another class than BytesWritable, which images must have");
    }
    boolean compressed = in.readBoolean();
    this.blocks = in.readBoolean();
    this.codec = compressed ? codec(version >= WITH_CODEC ? text() : DefaultCodec.class.getName()) : null;
    this.decompressor = codec == null ? null : CodecPool.getDecompressor(codec);
    int pairs = version >= WITH_METADATA ? in.readInt() : 0;
    if (pairs < 0 || pairs > MOST_METADATA) {
      throw new IOException("the header is damaged");
    }
    for (int i = 0; i < 2 * pairs; i++) {
      text();
    }
    in.readFully(sync);
  }

  private CompressionCodec codec(String name) {
    CompressionCodec known = new CompressionCodecFactory(file.conf()).getCodecByClassName(name);
    if (known == null) {
      throw PackedContent.unsupported(file, "it is compressed by a codec that is not read here; write it with DefaultCodec");
    }
    return known;
  }

  /** Reads a text of the header. */
  private String text() throws IOException {
    int length = WritableUtils.readVInt(in);
    if (length < 0 || length > LONGEST_TEXT) {
      throw new IOException("the header is damaged");
    }
    return Text.decode(exactly(in, length));
  }

  private static byte[] exactly(InputStream stream, int length) throws IOException {
    byte[] bytes = stream.readNBytes(length); // which allocates what it has read
    if (bytes.length < length) {
      throw new EOFException("the file ends in a record");
    }
    return bytes;
  }

  @Override
  public PackedImages.Member next() throws IOException {
    return blocks ? nextOfBlock() : nextRecord();
  }

  private PackedImages.Member nextRecord() throws IOException {
    byte[] start = in.readNBytes(Integer.BYTES);
    if (start.length == 0) {
      return null;
    }
    int length = number(start);
    if (length == -1) {
      checkSync();
      start = in.readNBytes(Integer.BYTES);
      if (start.length == 0) {
        return null;
      }
      length = number(start);
    }
    int keyLength = in.readInt();
    if (length < 0 || keyLength < 0 || keyLength > length) {
      throw new IOException("a record's length is damaged");
    }
    byte[] key = key(in, keyLength);
    BoundedInputStream stored = new BoundedInputStream(in, length - keyLength);
    PackedImages.Member member = member(key, codec == null ? stored : decompressed(stored));
    in.skipNBytes(stored.getBytesRemaining());
    return member;
  }

  private PackedImages.Member nextOfBlock() throws IOException {
    while (recordsOfBlock == 0) {
      if (storedValues != null) {
        in.skipNBytes(storedValues.getBytesRemaining());
        storedValues = null;
      }
      byte[] escape = in.readNBytes(Integer.BYTES);
      if (escape.length == 0) {
        return null;
      }
      if (number(escape) != -1) {
        throw new IOException("a block does not begin with a mark");
      }
      checkSync();
      recordsOfBlock = WritableUtils.readVInt(in);
      keyLengths = part("lengths of keys");
      keysOfBlock = part("keys");
      valueLengths = part("lengths of values");
      storedValues = stored();
      values = decompressed(storedValues);
    }
    recordsOfBlock--;
    byte[] key = key(keysOfBlock, WritableUtils.readVInt(keyLengths));
    int length = WritableUtils.readVInt(valueLengths);
    if (length < 0) {
      throw new IOException("a record's length is damaged");
    }
    BoundedInputStream value = new BoundedInputStream(values, length);
    PackedImages.Member member = member(key, value);
    value.skipNBytes(value.getBytesRemaining());
    return member;
  }

  /** Reads a part of a block that is needed beside the next one, so as a whole. */
  private DataInputStream part(String name) throws IOException {
    BoundedInputStream stored = stored();
    byte[] content = decompressed(stored).readNBytes(MOST_OF_A_BLOCK + 1);
    if (content.length > MOST_OF_A_BLOCK) {
      throw PackedContent.unsupported(file, "the " + name + " of a block have more bytes than the limit, " + MOST_OF_A_BLOCK
          + "; write smaller blocks");
    }
    in.skipNBytes(stored.getBytesRemaining());
    return new DataInputStream(new ByteArrayInputStream(content));
  }

  private BoundedInputStream stored() throws IOException {
    int length = WritableUtils.readVInt(in);
    if (length < 0) {
      throw new IOException("a block's length is damaged");
    }
    return new BoundedInputStream(in, length);
  }

  private InputStream decompressed(InputStream stored) throws IOException {
    if (decompressor == null) {
      return codec.createInputStream(stored);
    }
    decompressor.reset();
    return codec.createInputStream(stored, decompressor);
  }

  private byte[] key(InputStream stream, int length) throws IOException {
    if (length < 0) {
      throw new IOException("a key's length is damaged");
    }
    if (length > LONGEST_KEY) {
      throw PackedContent.unsupported(file, "a key has " + length + " bytes, more than the limit, " + LONGEST_KEY);
    }
    return exactly(stream, length);
  }

  private PackedImages.Member member(byte[] key, InputStream value) throws IOException {
    place++;
    int size = number(exactly(value, Integer.BYTES));
    if (size < 0) {
      throw new IOException("a value's length is damaged");
    }
    return PackedImages.Member.of(name(key), place, size <= file.maxBytes() ? exactly(value, size) : null, size);
  }

  /** Returns a key's own bytes, or its number, written as an image's key. */
  private String name(byte[] key) throws IOException {
    DataInputStream stream = new DataInputStream(new ByteArrayInputStream(key));
    if (keys == Text.class) {
      int length = WritableUtils.readVInt(stream);
      return ImageKeys.of(exactly(stream, Math.max(0, length)));
    }
    if (BYTES.contains(keys.getName())) {
      return ImageKeys.of(Arrays.copyOfRange(key, Math.min(key.length, Integer.BYTES), key.length));
    }
    if (keys == NullWritable.class) {
      return "";
    }
    Writable number = ReflectionUtils.newInstance(keys, file.conf());
    number.readFields(stream);
    return number.toString();
  }

  private void checkSync() throws IOException {
    if (!Arrays.equals(exactly(in, SYNC), sync)) {
      throw new IOException("a mark between records is damaged");
    }
  }

  private static int number(byte[] bytes) throws IOException {
    return new DataInputStream(new ByteArrayInputStream(bytes)).readInt();
  }

  @Override
  public void close() throws IOException {
    if (decompressor != null) {
      CodecPool.returnDecompressor(decompressor);
    }
    in.close();
  }
}

package dev.featx.failure;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.delta.kernel.exceptions.TableNotFoundException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.security.cert.CertificateException;
import java.util.List;
import java.util.stream.Stream;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLHandshakeException;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.apache.hadoop.hbase.DoNotRetryIOException;
import org.apache.hadoop.hbase.client.RetriesExhaustedException;
import org.apache.hadoop.hbase.regionserver.NoSuchColumnFamilyException;
import org.apache.hadoop.hbase.snapshot.SnapshotDoesNotExistException;
import org.apache.hadoop.hdfs.protocol.DSQuotaExceededException;
import org.apache.hadoop.hdfs.server.namenode.SafeModeException;
import org.apache.hadoop.ipc.RemoteException;
import org.apache.hadoop.security.AccessControlException;
import org.apache.hadoop.security.KerberosAuthException;
import org.apache.spark.SparkException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import software.amazon.awssdk.awscore.exception.AwsErrorDetails;
import software.amazon.awssdk.core.exception.SdkClientException;
import software.amazon.awssdk.services.s3.model.S3Exception;

/** An exception is classified by its Java class, whatever names its message contains. */
class FailuresTest {
  static Stream<Arguments> exceptions() {
    return Stream.of(
        arguments(new TableNotFoundException("s3a://b/t"), FailureClass.SOURCE_NOT_FOUND),
        arguments(new org.apache.hadoop.hbase.TableNotFoundException("t"), FailureClass.SOURCE_NOT_FOUND),
        arguments(new SnapshotDoesNotExistException("s"), FailureClass.SOURCE_NOT_FOUND),
        arguments(new NoSuchColumnFamilyException("f"), FailureClass.SOURCE_NOT_FOUND),
        arguments(new OutOfMemoryError("Java heap space"), FailureClass.OUT_OF_MEMORY),
        arguments(new AccessDeniedException("s3a://a/b", null, "Forbidden"), FailureClass.ACCESS_DENIED),
        arguments(new org.apache.hadoop.hbase.security.AccessDeniedException("no"), FailureClass.ACCESS_DENIED),
        arguments(response(403, "SignatureDoesNotMatch"), FailureClass.ACCESS_DENIED),
        arguments(response(401, "Unauthorized"), FailureClass.ACCESS_DENIED),
        arguments(response(400, "ExpiredToken"), FailureClass.ACCESS_DENIED),
        arguments(response(499, "Other"), FailureClass.INTERNAL),
        arguments(response(500, "InternalError"), FailureClass.STORE_UNREACHABLE),
        arguments(response(503, "SlowDown"), FailureClass.STORE_UNREACHABLE),
        arguments(untrusted("PKIX path building failed"), FailureClass.UNTRUSTED_STORE),
        arguments(SdkClientException.create("Unable to execute HTTP request", untrusted("PKIX")), FailureClass.UNTRUSTED_STORE),
        arguments(new SSLPeerUnverifiedException("Certificate for <store> doesn't match"), FailureClass.UNTRUSTED_STORE),
        arguments(new SSLHandshakeException("Remote host terminated the handshake"), FailureClass.STORE_UNREACHABLE),
        arguments(new SSLException("Connection reset"), FailureClass.STORE_UNREACHABLE),
        arguments(new CertificateException("of something else"), FailureClass.INTERNAL),
        arguments(SdkClientException.create("Unable to execute HTTP request"), FailureClass.STORE_UNREACHABLE),
        arguments(new AccessControlException("Permission denied"), FailureClass.ACCESS_DENIED),
        arguments(new KerberosAuthException("Login failure"), FailureClass.ACCESS_DENIED),
        arguments(new DSQuotaExceededException(1, 2), FailureClass.OUTPUT_FULL),
        arguments(new IOException("No space left on device"), FailureClass.OUTPUT_FULL),
        arguments(new FileSystemException("/t/a", "/t/b", "No space left on device"), FailureClass.OUTPUT_FULL),
        arguments(opening("java.io.FileOutputStream", "/t/a (Disk quota exceeded)"), FailureClass.OUTPUT_FULL),
        arguments(opening("java.io.RandomAccessFile", "/t/a (No space left on device)"), FailureClass.OUTPUT_FULL),
        arguments(opening("java.io.FileOutputStream", "/t/a (No space left on device) (Is a directory)"), FailureClass.INTERNAL),
        arguments(new SafeModeException("Name node is in safe mode"), FailureClass.STORE_UNREACHABLE),
        arguments(remote(IOException.class, "File /t/a could only be written to 0 of the 1 minReplication nodes. There are"),
            FailureClass.STORE_UNREACHABLE),
        arguments(remote(AccessControlException.class, "Permission denied"), FailureClass.ACCESS_DENIED),
        arguments(remote(SafeModeException.class, "Cannot create file"), FailureClass.STORE_UNREACHABLE),
        arguments(new EOFException("End of File Exception between local host is: \"a\"; destination host is: \"b\""),
            FailureClass.STORE_UNREACHABLE),
        arguments(new RetriesExhaustedException("Failed after attempts=3"), FailureClass.STORE_UNREACHABLE),
        arguments(new DoNotRetryIOException("Zookeeper LIST could not be completed in 10000 ms"), FailureClass.STORE_UNREACHABLE),
        arguments(new UnknownHostException("store"), FailureClass.STORE_UNREACHABLE),
        arguments(new ConnectException("Connection refused"), FailureClass.STORE_UNREACHABLE),
        arguments(new NoRouteToHostException("No route to host"), FailureClass.STORE_UNREACHABLE),
        arguments(new SocketTimeoutException("Read timed out"), FailureClass.STORE_UNREACHABLE),
        arguments(stoppedEarly(), FailureClass.EXECUTOR_LOST),
        arguments(new IllegalStateException("surprise"), FailureClass.INTERNAL));
  }

  private static Throwable response(int status, String code) {
    return S3Exception.builder().statusCode(status).awsErrorDetails(AwsErrorDetails.builder().errorCode(code).build()).build();
  }

  private static Throwable untrusted(String message) {
    return new SSLHandshakeException(message).initCause(new CertificateException(message));
  }

  private static FileNotFoundException opening(String stream, String message) {
    FileNotFoundException thrown = new FileNotFoundException(message);
    thrown.setStackTrace(new StackTraceElement[] {new StackTraceElement(stream, "open0", "", 1)});
    return thrown;
  }

  private static RemoteException remote(Class<?> kind, String message) {
    return new RemoteException(kind.getName(), message + "\n\tat org.apache.hadoop.Server.run(Server.java:1)");
  }

  private static IllegalStateException stoppedEarly() {
    IllegalStateException thrown = new IllegalStateException("Spark context stopped while waiting for backend");
    String scheduler = "org.apache.spark.scheduler.TaskSchedulerImpl";
    thrown.setStackTrace(new StackTraceElement[] {new StackTraceElement(scheduler, "waitBackendReady", "", 1)});
    return thrown;
  }

  @ParameterizedTest
  @MethodSource("exceptions")
  void anExceptionIsClassifiedAnywhereInTheChain(Throwable cause, FailureClass expected) {
    assertEquals(expected, Failures.of(cause).failureClass());
    Throwable wrapped = new SparkException("Job aborted", new IllegalStateException(new IOException("of a task", cause)));
    assertEquals(expected, Failures.of(wrapped).failureClass());
  }

  @ParameterizedTest
  @ValueSource(strings = {"AccessDenied", "UnknownHost", "No space left", "No space left on device", "HBase at ", "ModelError",
      "OutOfMemoryError", "UnsupportedSource", "PrecisionUnsupported", "TableNotFoundException", "QuotaExceededException",
      "End of File Exception between local host is: ", "Zookeeper LIST could not", "the store did not answer", "executor exited",
      "could only be written to 0 of the 1 minReplication nodes", "SparkContext was shut down"})
  void namesInMessagesDoNotMatter(String name) {
    for (String text : List.of(name + ".jpg", "s3a://bucket/docs/" + name + ".jpg", "reading s3a://b/" + name)) {
      assertEquals(FailureClass.STORE_UNREACHABLE, Failures.of(new ConnectException(text)).failureClass());
      assertEquals(FailureClass.STORE_UNREACHABLE,
          Failures.of(new IOException(text, new SocketTimeoutException(text))).failureClass());
      assertEquals(FailureClass.INTERNAL, Failures.of(new IOException(text)).failureClass());
      assertEquals(FailureClass.INTERNAL, Failures.of(new IllegalStateException(text)).failureClass());
      assertEquals(FailureClass.INTERNAL, Failures.of(new FileNotFoundException(text)).failureClass());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"No such file or directory: s3a://b/", "File does not exist: /t/", "/t/", ""})
  void aMissingObjectNamedLikeAFullDiskIsNotOne(String before) {
    for (String reason : List.of("No space left on device", "Disk quota exceeded")) {
      FileNotFoundException missing = new FileNotFoundException(before + "a (" + reason + ")");
      assertEquals(FailureClass.INTERNAL, Failures.of(missing).failureClass());
    }
  }

  @Test
  void anExceptionWithoutATextIsDescribed() throws IOException {
    Throwable silent = new ConnectException() {
      @Override
      public String toString() {
        return null;
      }
    };
    for (Throwable thrown : List.of(silent, new RunProblem(FailureClass.STORE_UNREACHABLE, null), new ConnectException())) {
      assertEquals("StoreUnreachable", new ObjectMapper().readTree(Failures.describe(thrown)).get("class").asText());
    }
  }

  @Test
  void aRunProblemOverridesItsCauses() {
    RunProblem problem = new RunProblem(FailureClass.MODEL_INVALID, "layer a", new OutOfMemoryError());
    assertSame(problem, Failures.of(new UncheckedIOException(new IOException(problem))));
    assertTrue(Failures.known(problem).isPresent());
    assertTrue(Failures.known(new IllegalStateException()).isEmpty());
  }

  @Test
  void theDriverReceivesTheClassAndOneLine() throws IOException {
    var description = new ObjectMapper().readTree(Failures.describe(new SparkException("a\n\"b\"", new ConnectException("c\nd"))));
    assertEquals("StoreUnreachable", description.get("class").asText());
    assertEquals("the store did not respond (java.net.ConnectException: c d)", description.get("message").asText());
  }

  @Test
  void theOutermostLinkOfTheClassIsQuoted() {
    Exception named = new ConnectException("HBase at quorum:9 did not respond");
    named.initCause(new DoNotRetryIOException("Zookeeper LIST could not be completed in 10000 ms"));
    assertEquals("the store did not respond (java.net.ConnectException: HBase at quorum:9 did not respond)",
        Failures.of(new UncheckedIOException(new IOException(named))).getMessage());
  }

  @Test
  void whatALibraryQuotesIsInNoMessage() {
    List<Throwable> quoting = List.of(
        new RuntimeException("file:/mnt/featx/claims/c/a is not a Parquet file, but found hunter2"),
        new com.fasterxml.jackson.core.JsonParseException(null, "Unrecognized token 'hunter2'"),
        new IOException("hunter2 not a SequenceFile"),
        new KerberosAuthException("Illegal config content: hunter2"),
        new SSLPeerUnverifiedException("Certificate doesn't match any of the subject alternative names: [hunter2]"),
        new IOException("reading a", S3Exception.builder().statusCode(403).message("hunter2")
            .awsErrorDetails(AwsErrorDetails.builder().errorCode("hunter2 <b>").errorMessage("hunter2").build()).build()));
    for (Throwable thrown : quoting) {
      thrown.setStackTrace(new StackTraceElement[] {new StackTraceElement("org.library.Reader", "read", "", 1)});
      for (Throwable seen : List.of(thrown, new SparkException("Job aborted: " + thrown, thrown))) {
        RunProblem problem = Failures.of(seen);
        assertFalse(problem.getMessage().contains("hunter2"), problem.getMessage());
        StringWriter logged = new StringWriter();
        problem.printStackTrace(new PrintWriter(logged));
        assertTrue(problem.failureClass() != FailureClass.INTERNAL || !logged.toString().contains("hunter2"), logged.toString());
      }
    }
  }

  @Test
  void whatNobodyForesawIsNamedByItsClassesAndItsPlace() {
    IllegalStateException own = new IllegalStateException("batch of 9 images; must be 1 to 8");
    own.setStackTrace(new StackTraceElement[] {new StackTraceElement("dev.featx.nets.CompiledNetwork", "run", "", 1)});
    IOException wrapping = new IOException("hunter2", own);
    wrapping.setStackTrace(new StackTraceElement[] {new StackTraceElement("org.library.Reader", "read", "", 1)});
    assertEquals("java.io.IOException in org.library.Reader.read, caused by java.lang.IllegalStateException: batch of 9 images;"
        + " must be 1 to 8; see the driver's log", Failures.of(wrapping).getMessage());
  }

  @Test
  void aCyclicChainTerminates() {
    Exception one = new Exception("one");
    one.initCause(new Exception("two", one));
    assertEquals(FailureClass.INTERNAL, Failures.of(one).failureClass());
  }

  @Test
  void aProblemIsSerializedWithoutItsCause() throws Exception {
    Object unserializable = new Object();
    Exception cause = new Exception("not serializable") {
      @SuppressWarnings("unused")
      private final Object field = unserializable;
    };
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream stream = new ObjectOutputStream(bytes)) {
      stream.writeObject(new SparkException("of a task", new RunProblem(FailureClass.OUTPUT_FULL, "no space left", cause)));
    }
    Throwable read = (Throwable) new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray())).readObject();
    RunProblem problem = Failures.of(read);
    assertEquals(FailureClass.OUTPUT_FULL, problem.failureClass());
    assertEquals("no space left", problem.getMessage());
    assertNull(problem.getCause());
    assertFalse(problem.getStackTrace().length == 0);
  }
}
